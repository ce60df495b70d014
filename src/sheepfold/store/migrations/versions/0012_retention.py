"""What is cleared and what is kept for ever, and by which indexes one finds who names a blob."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.add_column("blobs", sa.Column("cleared_at", sa.BigInteger(), nullable=True))
    for name in ("kept_at", "cleared_at", "emptied_at"):
        op.add_column("jobs", sa.Column(name, sa.BigInteger(), nullable=True))
    _index("ix_jobs_clearable", "jobs", "ended_at", "ended_at IS NOT NULL AND cleared_at IS NULL AND kept_at IS NULL")
    _index("ix_jobs_emptiable", "jobs", "ended_at", "cleared_at IS NOT NULL AND emptied_at IS NULL")
    _index("ix_tasks_input", "tasks", "input", "input IS NOT NULL")
    _index("ix_leases_log", "leases", "log", "log IS NOT NULL")
    for table in ("job_inputs", "products", "previews"):
        op.create_index(f"ix_{table}_digest", table, ["digest"])
    op.create_index("ix_baselines_job_id", "baselines", ["job_id"])
    op.create_table(
        "storage",
        sa.Column("sort", sa.Text(), nullable=False),
        sa.Column("blobs", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("counted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sort", name="pk_storage"),
    )
    op.create_table(
        "pauses",
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("what", name="pk_pauses"),
    )


def _index(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
