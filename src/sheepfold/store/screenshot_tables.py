"""The schema's tables of screenshots: the factories that make them, the pages that they visit, and what is shown."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from sheepfold.store.columns import CHURN, Id, at, digest, metadata, partial_index, ref, row_id

# what Browsershots knows of a machine: the screenshot factory that it is
factories = Table(
    "factories",
    metadata,
    Column("machine_id", Id, ForeignKey("machines.id"), primary_key=True, autoincrement=False),
    Column("platform", Text, nullable=False),
    at("polled_at", nullable=True),
    at("uploaded_at", nullable=True),
    Column("queue_estimate_s", Integer, nullable=True),
)

browsers = Table(
    "browsers",
    metadata,
    row_id(),
    ref("machine_id", "machines"),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("javascript", Text, nullable=False),
    Column("java", Text, nullable=False),
    Column("flash", Text, nullable=False),
    at("added_at"),
    at("uploaded_at", nullable=True),
    at("failed_at", nullable=True),
    Column("fault", Text, nullable=False, server_default=""),
    Index(None, "machine_id"),
)

screens = Table(
    "screens",
    metadata,
    Column("machine_id", Id, ForeignKey("machines.id"), primary_key=True, autoincrement=False),
    Column("width", Integer, primary_key=True),
    Column("height", Integer, primary_key=True),
    Column("bpp", Integer, primary_key=True),
)

nonces = Table(
    "nonces",
    metadata,
    Column("nonce", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("owner_id", Id, nullable=False),
    Column("address", Text, nullable=False),
    Column("network", Text, nullable=False, server_default=""),
    at("issued_at"),
    Index(None, "owner", "owner_id", "issued_at"),
    Index(None, "owner", "owner_id", "network", "issued_at"),
    Index(None, "issued_at"),
    postgresql_with=CHURN,
)

# what an order of screenshots is beside a job: where it leads, and until when it is worth making
visits = Table(
    "visits",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True, autoincrement=False),
    ref("account_id", "accounts"),
    Column("url", Text, nullable=False),
    Column("domain", Text, nullable=False),
    at("submitted_at"),
    at("expires_at", nullable=True),
    at("closed_at", nullable=True),
    Index(None, "account_id", "submitted_at"),
    Index(None, "domain", "submitted_at"),
    # what upkeep still has to end
    partial_index("ix_visits_expires_at", "expires_at", where="closed_at IS NULL"),
)

screenshots = Table(
    "screenshots",
    metadata,
    Column("hashkey", Text, primary_key=True),
    Column("result_id", Id, ForeignKey("results.id"), nullable=False, unique=True),
    Column("browser", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    at("uploaded_at"),
    Index(None, "uploaded_at"),
)

thumbnails = Table(
    "thumbnails",
    metadata,
    Column("source", Text, ForeignKey("blobs.digest"), primary_key=True),
    Column("width", Integer, primary_key=True),
    digest("digest"),
    Index(None, "digest"),
)
