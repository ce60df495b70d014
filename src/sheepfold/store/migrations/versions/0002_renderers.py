"""Renderers as SheepIt's clients download them, archives of jobs' projects, and leases by their session."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "renderers",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("os", sa.Text(), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("made", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_renderers_digest_blobs"),
        sa.PrimaryKeyConstraint("id", name="pk_renderers"),
        sa.UniqueConstraint("name", "version", "os", "bits", name="uq_renderers_name_version_os_bits"),
    )
    op.create_table(
        "archives",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("main", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_archives_digest_blobs"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_archives_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "revision", name="pk_archives"),
    )
    op.create_index("ix_archives_digest", "archives", ["digest"])
    op.create_index(
        "ix_leases_session_id",
        "leases",
        ["session_id"],
        sqlite_where=sa.text("session_id IS NOT NULL"),
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
