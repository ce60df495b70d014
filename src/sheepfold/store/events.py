"""Rows of events: appended in the transaction of what happened, read by stories and streams."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, select, text

from sheepfold.model.events import Event, What
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.store import schema
from sheepfold.store.database import Tx

_ADD = text("""
    INSERT INTO events (at, job_id, task_id, what, detail) VALUES (:at, :job_id, :task_id, :what, :detail)
""")


def add(tx: Tx, events: Iterable[Event], now: int) -> None:
    """Append events."""
    rows = [
        {"at": now, "job_id": event.job_id, "task_id": event.task_id, "what": event.what,
         "detail": json.dumps(event.detail, sort_keys=True)}
        for event in events
    ]
    if rows:
        tx.execute(_ADD, rows)


def of_task(tx: Tx, task_id: TaskId) -> list[Event]:
    """Return a task's whole story."""
    query = select(schema.events).where(schema.events.c.task_id == task_id).order_by(schema.events.c.id)
    return [_event(row) for row in tx.execute(query)]


def since(tx: Tx, after_id: int, limit: int, job_id: JobId | None = None) -> list[Event]:
    """Return the next events after an id, of one job or of all."""
    query = select(schema.events).where(schema.events.c.id > after_id).order_by(schema.events.c.id).limit(limit)
    if job_id is not None:
        query = query.where(schema.events.c.job_id == job_id)
    return [_event(row) for row in tx.execute(query)]


_NEWEST = text("SELECT coalesce(max(id), 0) FROM events")


def newest_id(tx: Tx) -> int:
    """Return the id of the newest event, 0 where nothing ever happened."""
    return int(tx.execute(_NEWEST).scalar_one())


def _event(row: Row[Any]) -> Event:
    task_id = None if row.task_id is None else TaskId(row.task_id)
    return Event(What(row.what), JobId(row.job_id), task_id, json.loads(row.detail), row.at, row.id)
