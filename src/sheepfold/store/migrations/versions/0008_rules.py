"""When and how machines may work, as their owners wish, and since when they should stop."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.add_column("machines", sa.Column("rules", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("machines", sa.Column("stopped_at", sa.BigInteger(), nullable=True))
