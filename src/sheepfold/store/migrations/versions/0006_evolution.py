"""Sheep that retire, and who their parents were."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply the change."""
    op.add_column("sheep", sa.Column("retired_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "parents",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("parent_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_parents_job_id_jobs"),
        sa.ForeignKeyConstraint(["parent_id"], ["jobs.id"], name="fk_parents_parent_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "parent_id", name="pk_parents"),
    )
