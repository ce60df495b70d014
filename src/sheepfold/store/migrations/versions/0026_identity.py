"""A farm has an id, by which it knows its own files and backups."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    table = op.create_table("identity", sa.Column("farm", sa.Text, nullable=False),
                            sa.PrimaryKeyConstraint("farm", name="pk_identity"))
    op.bulk_insert(table, [{"farm": secrets.token_hex(8)}])
