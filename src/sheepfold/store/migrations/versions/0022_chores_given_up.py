"""Chores that were given up are looked up by their job."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    is_failed = sa.text("state = 'failed'")
    op.create_index("ix_chores_failed", "chores", ["job_id"], sqlite_where=is_failed, postgresql_where=is_failed)
