"""What people need to be served by pages: sign-in, invitations, tokens and teams."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
