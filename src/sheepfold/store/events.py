"""Rows of events: appended in the transaction of what happened, read by stories and streams."""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, TextClause, select, text

from sheepfold.model.events import Event, What
from sheepfold.model.jobs import JobId
from sheepfold.model.notices import TOPIC_OF, Notice
from sheepfold.model.tasks import TaskId
from sheepfold.store import schema, webhooks
from sheepfold.store.database import Tx

_COLUMNS = ("job_id", "task_id", "what", "detail")


def add(tx: Tx, events: Iterable[Event], now: int) -> None:
    """Append events, with a notice for webhooks of each that they are told of."""
    events = list(events)
    rows = [(event.job_id, event.task_id, event.what, json.dumps(event.detail, sort_keys=True)) for event in events]
    if rows:
        values = {f"{name}_{n}": value for n, row in enumerate(rows) for name, value in zip(_COLUMNS, row, strict=True)}
        tx.later(_add_query(len(rows)), values | {"at": now})
    told = [event for event in events if event.what in TOPIC_OF]
    webhooks.note(tx, (Notice(TOPIC_OF[one.what], one.job_id, one.task_id, None, one.detail) for one in told), now)


@lru_cache(maxsize=64)
def _add_query(count: int) -> TextClause:
    """Return one statement for so many events; a valid result has five."""
    rows = (f"(:at, {', '.join(f':{name}_{n}' for name in _COLUMNS)})" for n in range(count))
    return text(f"INSERT INTO events (at, {', '.join(_COLUMNS)}) VALUES {', '.join(rows)}")  # noqa: S608 -- of constants


def of_task(tx: Tx, task_id: TaskId) -> list[Event]:
    """Return a task's whole story."""
    query = select(schema.events).where(schema.events.c.task_id == task_id).order_by(schema.events.c.id)
    return [_event(row) for row in tx.execute(query)]


def of_job(tx: Tx, job_id: JobId, what: What) -> list[Event]:
    """Return all of one sort that happened to a job, by ix_events_job_id."""
    events = schema.events
    query = select(events).where(events.c.job_id == job_id, events.c.what == what).order_by(events.c.id)
    return [_event(row) for row in tx.execute(query)]


def since(tx: Tx, after_id: int, limit: int, job_id: JobId | None = None, until_id: int | None = None) -> list[Event]:
    """Return the next events after an id, of one job or of all, up to another id where one is given."""
    events = schema.events
    query = select(events).where(events.c.id > after_id).order_by(events.c.id).limit(limit)
    if job_id is not None:
        query = query.where(events.c.job_id == job_id)
    if until_id is not None:
        query = query.where(events.c.id <= until_id)
    return [_event(row) for row in tx.execute(query)]


# by ix_events_job_id_id, in whose order they are asked for: by `id` alone PostgreSQL may walk all events that there are
_TOLD_LAST = text("""
    SELECT id, at, job_id, task_id, what, detail FROM events
    WHERE job_id = :job_id AND what IN ('job ordered', 'input replaced') ORDER BY job_id DESC, id DESC LIMIT 1
""")
# its order is what is first told of a job
_TOLD_FIRST = text("""
    SELECT id, at, job_id, task_id, what, detail FROM events WHERE job_id = :job_id ORDER BY job_id, id LIMIT 1
""")


def of_revision(tx: Tx, job_id: JobId, revision: int) -> Event | None:
    """Return the event that brought a job's newest revision: its order, or the newest replacement of an input."""
    row = tx.execute(_TOLD_LAST if revision else _TOLD_FIRST, {"job_id": job_id}).one_or_none()
    return None if row is None else _event(row)


_NEWEST = text("SELECT coalesce(max(id), 0) FROM events")


def newest_id(tx: Tx) -> int:
    """Return the id of the newest event, 0 where nothing ever happened."""
    return int(tx.execute(_NEWEST).scalar_one())


def _event(row: Row[Any]) -> Event:
    task_id = None if row.task_id is None else TaskId(row.task_id)
    return Event(What(row.what), JobId(row.job_id), task_id, json.loads(row.detail), row.at, row.id)
