"""Rows of names that customers gave their orders, so that one that is sent again orders nothing more."""

from dataclasses import dataclass

from sqlalchemy import text

from sheepfold.model.accounts import AccountId
from sheepfold.model.jobs import JobId
from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class NamedOrder:
    """What a name stands for: the job that was made of the order, and a digest of all that the order said."""

    job_id: JobId
    fingerprint: str


# by pk_order_keys
_FIND = text("SELECT job_id, fingerprint FROM order_keys WHERE account_id = :account_id AND key = :key")
_ADD = text("""
    INSERT INTO order_keys (account_id, key, job_id, fingerprint, ordered_at)
    VALUES (:account_id, :key, :job_id, :fingerprint, :now)
""")
_FORGET = text("DELETE FROM order_keys WHERE ordered_at < :before")


def find(tx: Tx, account_id: AccountId, key: str) -> NamedOrder | None:
    """Return what an account's name for an order stands for, or None."""
    row = tx.execute(_FIND, {"account_id": account_id, "key": key}).one_or_none()
    return None if row is None else NamedOrder(JobId(row.job_id), row.fingerprint)


def add(tx: Tx, account_id: AccountId, key: str, order: NamedOrder, now: int) -> None:
    """Keep an account's name for an order; a second transaction that does the same finds the first's row."""
    tx.execute(_ADD, {"account_id": account_id, "key": key, "job_id": order.job_id, "fingerprint": order.fingerprint,
                      "now": now})


def forget(tx: Tx, before: int) -> int:
    """Forget names that were given before a time; returns how many."""
    return tx.execute(_FORGET, {"before": before}).rowcount
