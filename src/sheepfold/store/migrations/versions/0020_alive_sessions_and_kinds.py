"""Who is there is looked up among the sessions heard of lately, and the newest jobs of a kind among its own."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    where = sa.text("ended_at IS NULL")
    op.create_index("ix_sessions_alive", "sessions", ["last_seen_at"], sqlite_where=where, postgresql_where=where)
    op.create_index("ix_jobs_kind_id", "jobs", ["kind", "id"])
