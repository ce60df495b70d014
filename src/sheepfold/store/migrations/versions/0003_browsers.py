"""Browsers of machines, nonces, and screenshots as Browsershots knows them."""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
