"""Screenshots that were accepted, for later ones to be held against."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "baselines",
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_baselines_account_id_accounts"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_baselines_job_id_jobs"),
        sa.PrimaryKeyConstraint("account_id", "name", name="pk_baselines"),
    )
