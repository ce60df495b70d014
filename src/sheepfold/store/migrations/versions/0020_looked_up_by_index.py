"""Looked up by an index: the sessions heard of lately, the newest jobs of a kind, the chores that a job waits for."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    is_alive, is_queued = sa.text("ended_at IS NULL"), sa.text("state = 'queued'")
    op.create_index("ix_sessions_alive", "sessions", ["last_seen_at"], sqlite_where=is_alive, postgresql_where=is_alive)
    op.create_index("ix_chores_waiting", "chores", ["job_id"], sqlite_where=is_queued, postgresql_where=is_queued)
    op.create_index("ix_jobs_kind_id", "jobs", ["kind", "id"])
