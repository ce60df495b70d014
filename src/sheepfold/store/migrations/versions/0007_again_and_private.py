"""Tasks that are rendered anew; private jobs and the links that show them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply the change."""
    op.add_column("tasks", sa.Column("past_lease", ID, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("private_at", sa.BigInteger(), nullable=True))
    is_private = sa.text("private_at IS NOT NULL")
    op.create_index("ix_jobs_private", "jobs", ["id"], sqlite_where=is_private, postgresql_where=is_private)
    op.create_table(
        "shares",
        sa.Column("id", ID, sa.Identity(start=1), primary_key=True),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_shares_job_id_jobs"),
        sa.PrimaryKeyConstraint("id", name="pk_shares"),
        sa.UniqueConstraint("token_hash", name="uq_shares_token_hash"),
    )
    op.create_index("ix_shares_job_id", "shares", ["job_id"])
