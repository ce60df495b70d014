"""Deaths at a chore are counted apart from its failures; new chores stand in the queue by their age."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.add_column("chores", sa.Column("deaths", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE chores SET due_at = queued_at WHERE state = 'queued' AND due_at = 0")
