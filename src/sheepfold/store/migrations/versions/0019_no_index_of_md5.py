"""Nothing looks for blobs by their MD5, which most have no more: each picture wrote into an index that nobody read."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.drop_index("ix_blobs_md5", table_name="blobs")
