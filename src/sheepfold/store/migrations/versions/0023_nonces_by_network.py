"""Nonces are looked up by the network that asked for them, however many others asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.add_column("nonces", sa.Column("network", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_nonces_owner_owner_id_network_issued_at", "nonces",
                    ["owner", "owner_id", "network", "issued_at"])
