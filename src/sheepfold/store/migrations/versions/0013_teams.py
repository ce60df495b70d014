"""Teams: who is in one, who leads it, and which private jobs it sees."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "teams",
        sa.Column("id", ID, sa.Identity(start=1), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("leader_id", ID, nullable=False),
        sa.Column("invitation_hash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["leader_id"], ["accounts.id"], name="fk_teams_leader_id_accounts"),
        sa.PrimaryKeyConstraint("id", name="pk_teams"),
        sa.UniqueConstraint("name", name="uq_teams_name"),
        sa.UniqueConstraint("invitation_hash", name="uq_teams_invitation_hash"),
    )
    op.create_table(
        "members",
        sa.Column("account_id", ID, nullable=False),
        sa.Column("team_id", ID, nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_members_account_id_accounts"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_members_team_id_teams"),
        sa.PrimaryKeyConstraint("account_id", name="pk_members"),
    )
    op.create_index("ix_members_team_id", "members", ["team_id"])
    op.create_table(
        "team_jobs",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("team_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_team_jobs_job_id_jobs"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_team_jobs_team_id_teams"),
        sa.PrimaryKeyConstraint("job_id", name="pk_team_jobs"),
    )
    op.create_index("ix_team_jobs_team_id", "team_jobs", ["team_id"])
