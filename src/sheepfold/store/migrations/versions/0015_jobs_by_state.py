"""Jobs are counted and found by their state without a look at those that have ended."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_index("ix_jobs_state", "jobs", ["state"])
