"""Rows of backups: those that are asked for, the one that is being made, and how they ended."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, select, text, update

from sheepfold.model.errors import NotFound
from sheepfold.store import schema
from sheepfold.store.database import Tx
from sheepfold.store.paging import newest_below


@dataclass(frozen=True, slots=True)
class Asked:
    """A backup that somebody asked for: how far it is, and how it ended; `trouble` says why it is none.

    One that can be restored may have a trouble, too: what it lacks. Whoever makes it is heard of at `heard_at`; nobody
    has begun where that is missing.
    """

    id: int
    who: str
    folder: str
    asked_at: int
    heard_at: int | None
    files_done: int
    files: int
    new_files: int
    size_bytes: int
    ended_at: int | None
    trouble: str

    def waits(self, dead_before: int) -> bool:
        """Say whether nobody makes it: none began, or who did was last heard of before a time."""
        return self.ended_at is None and (self.heard_at is None or self.heard_at < dead_before)


# the oldest that nobody makes, or whose maker must be dead
_TAKE = text("""
    UPDATE backups SET heard_at = :now, files_done = 0, files = 0
    WHERE id = (SELECT min(id) FROM backups WHERE ended_at IS NULL AND (heard_at IS NULL OR heard_at < :dead))
      AND (heard_at IS NULL OR heard_at < :dead)
    RETURNING id, who, folder, asked_at, heard_at, files_done, files, new_files, size_bytes, ended_at, trouble
""")


def ask(tx: Tx, who: str, folder: str, now: int) -> Asked:
    """Ask for a backup; where one is asked for already, or under way, that is returned."""
    table = schema.backups
    under_way = tx.execute(select(table).where(table.c.ended_at.is_(None)).order_by(table.c.id)).first()
    if under_way is not None:
        return _asked(under_way)
    return _asked(tx.execute(insert(table).values(who=who, folder=folder, asked_at=now).returning(table)).one())


def take(tx: Tx, now: int, dead_before: int) -> Asked | None:
    """Begin with a backup that waits, or whose maker was last heard of before a time; None where there is none."""
    row = tx.execute(_TAKE, {"now": now, "dead": dead_before}).one_or_none()
    return None if row is None else _asked(row)


def change(tx: Tx, backup_id: int, **values: Any) -> None:  # noqa: ANN401 -- columns of `backups`
    """Write how far a backup is, or how it ended."""
    table = schema.backups
    tx.execute(update(table).where(table.c.id == backup_id).values(**values))


def backup_of(tx: Tx, backup_id: int) -> Asked:
    """Return a backup; raises NotFound."""
    row = tx.execute(select(schema.backups).where(schema.backups.c.id == backup_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no backup {backup_id}.")
    return _asked(row)


def list_backups(tx: Tx, limit: int, before: int | None) -> list[Asked]:
    """Return backups, the newest first, those before an id."""
    table = schema.backups
    query = select(table).where(table.c.id < newest_below(before)).order_by(table.c.id.desc()).limit(limit)
    return [_asked(row) for row in tx.execute(query)]


def forget_unfinished(tx: Tx) -> None:
    """Forget backups that are not made yet."""
    tx.execute(delete(schema.backups).where(schema.backups.c.ended_at.is_(None)))


def _asked(row: Row[Any]) -> Asked:
    return Asked(row.id, row.who, row.folder, row.asked_at, row.heard_at, row.files_done, row.files, row.new_files,
                 row.size_bytes, row.ended_at, row.trouble)
