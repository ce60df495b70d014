"""Rows of answers that are kept, so that a request that is sent again under its name does nothing more."""

from dataclasses import dataclass

from sqlalchemy import text

from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a name stands for: a digest of the request, and its sealed answer, None while it is being done."""

    fingerprint: str
    sealed: bytes | None


# by pk_kept_answers
_FIND = text("SELECT fingerprint, answer FROM kept_answers WHERE name_hash = :name_hash")
_BEGIN = text("""
    INSERT INTO kept_answers (name_hash, fingerprint, asked_at) VALUES (:name_hash, :fingerprint, :now)
    ON CONFLICT (name_hash) DO NOTHING
""")
_KEEP = text("UPDATE kept_answers SET answer = :sealed WHERE name_hash = :name_hash")
_DROP = text("DELETE FROM kept_answers WHERE name_hash = :name_hash")
_FORGET = text("DELETE FROM kept_answers WHERE asked_at < :before")


def begin(tx: Tx, name_hash: str, fingerprint: str, now: int) -> KeptAnswer | None:
    """Note that a request is being done under a name; returns what the name stands for already, None for nothing."""
    if tx.execute(_BEGIN, {"name_hash": name_hash, "fingerprint": fingerprint, "now": now}).rowcount == 1:
        return None
    row = tx.execute(_FIND, {"name_hash": name_hash}).one()
    return KeptAnswer(row.fingerprint, None if row.answer is None else bytes(row.answer))


def keep(tx: Tx, name_hash: str, sealed: bytes) -> None:
    """Keep the answer to a request that was done."""
    tx.execute(_KEEP, {"name_hash": name_hash, "sealed": sealed})


def drop(tx: Tx, name_hash: str) -> None:
    """Forget a request that was not done: its name may be used again."""
    tx.execute(_DROP, {"name_hash": name_hash})


def forget(tx: Tx, before: int) -> int:
    """Forget what was asked before a time; returns how many."""
    return tx.execute(_FORGET, {"before": before}).rowcount
