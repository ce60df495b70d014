"""The part of the schema that webhooks need: the hooks, what they are to be told, and what became of it."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from sheepfold.store.columns import Id, at, metadata, partial_index, ref, row_id

# whom the farm tells what; the secret is kept as it is, since it signs what is sent
webhooks = Table(
    "webhooks",
    metadata,
    row_id(),
    ref("account_id", "accounts"),
    Column("reach", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("topics", Text, nullable=False),
    at("created_at"),
    at("disabled_at", nullable=True),
    Column("reason", Text, nullable=False, server_default=""),
    Index(None, "account_id"),
)

# what hooks are to be told of, written together with it; gone once each of them has its delivery
notices = Table(
    "notices",
    metadata,
    row_id(),
    Column("topic", Text, nullable=False),
    Column("job_id", Id, nullable=True),
    Column("task_id", Id, nullable=True),
    Column("account_id", Id, nullable=True),
    Column("detail", Text, nullable=False),
    at("at"),
)

# what is sent to a hook, until it has arrived or was given up: then there is no next time
hook_deliveries = Table(
    "hook_deliveries",
    metadata,
    row_id(),
    Column("hook_id", Id, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("notice", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("body", Text, nullable=False),
    at("created_at"),
    at("next_at", nullable=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    at("delivered_at", nullable=True),
    Column("answer", Text, nullable=False, server_default=""),
    Index(None, "hook_id"),
    partial_index("ix_hook_deliveries_waiting", "hook_id", "attempts", "id", where="next_at IS NOT NULL"),
    partial_index("ix_hook_deliveries_tests", "hook_id", "id",
                  where="topic = 'test' AND attempts = 0 AND next_at IS NOT NULL"),
)
