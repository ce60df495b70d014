"""Jobs that a machine is not offered for a time, since it cannot render them or its owner does not want to."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "refusals",
        sa.Column("machine_id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name="fk_refusals_machine_id_machines"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_refusals_job_id_jobs"),
        sa.PrimaryKeyConstraint("machine_id", "job_id", name="pk_refusals"),
    )
