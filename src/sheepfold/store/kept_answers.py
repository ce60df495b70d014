"""Rows of answers that are kept, so that a request that is sent again under its name does nothing more."""

from dataclasses import dataclass

from sqlalchemy import text

from sheepfold.store.database import Tx

MARK_BYTES = 8
"""The mark of who does a request stands where its sealed answer will, which is longer."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a name stands for: a digest of the request, and its sealed answer, None while it is being done."""

    fingerprint: str
    sealed: bytes | None


# by pk_kept_answers
_FIND = text("SELECT fingerprint, answer FROM kept_answers WHERE name_hash = :name_hash")
_BEGIN = text("""
    INSERT INTO kept_answers (name_hash, fingerprint, answer, asked_at) VALUES (:name_hash, :fingerprint, :mark, :now)
    ON CONFLICT (name_hash) DO NOTHING
""")
_KEEP = text("UPDATE kept_answers SET answer = :sealed WHERE name_hash = :name_hash")
_DROP = text("DELETE FROM kept_answers WHERE name_hash = :name_hash")
_FORGET = text("DELETE FROM kept_answers WHERE asked_at < :before")


def begin(tx: Tx, name_hash: str, fingerprint: str, mark: bytes, now: int) -> KeptAnswer | None:
    """Note that a request is being done under a name; returns what the name stands for already, None for nothing.

    To whoever has the same mark, MARK_BYTES that are nobody else's, it may be said twice.
    """
    values = {"name_hash": name_hash, "fingerprint": fingerprint, "mark": mark, "now": now}
    if tx.execute(_BEGIN, values).rowcount == 1:
        return None
    row = tx.execute(_FIND, {"name_hash": name_hash}).one()
    answer = bytes(row.answer or b"")
    return None if answer == mark else KeptAnswer(row.fingerprint, answer if len(answer) > MARK_BYTES else None)


def keep(tx: Tx, name_hash: str, sealed: bytes) -> None:
    """Keep the answer to a request that was done."""
    tx.execute(_KEEP, {"name_hash": name_hash, "sealed": sealed})


def drop(tx: Tx, name_hash: str) -> None:
    """Forget a request that was not done: its name may be used again."""
    tx.execute(_DROP, {"name_hash": name_hash})


def forget(tx: Tx, before: int) -> int:
    """Forget what was asked before a time; returns how many."""
    return tx.execute(_FORGET, {"before": before}).rowcount
