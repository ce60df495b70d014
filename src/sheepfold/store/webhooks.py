"""Rows of webhooks: the hooks of accounts, notices that wait for their deliveries, and how deliveries went."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, text, update

from sheepfold.model.accounts import AccountId
from sheepfold.model.errors import NotFound
from sheepfold.model.jobs import JobId
from sheepfold.model.notices import Form, Notice, Reach, Topic
from sheepfold.model.tasks import TaskId
from sheepfold.store import hook_tables as tables
from sheepfold.store.database import Tx
from sheepfold.store.paging import MOST, newest_below


@dataclass(frozen=True, slots=True)
class Hook:
    """Where an account wants what to be told; no topics mean all. `reason` says why it was disabled."""

    id: int
    account_id: AccountId
    reach: Reach
    form: Form
    url: str
    secret: str
    topics: tuple[Topic, ...]
    created_at: int
    disabled_at: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to a hook: waiting while `next_at` is set, arrived at `delivered_at`, else given up."""

    id: int
    hook_id: int
    notice: str
    topic: Topic
    body: str
    created_at: int
    next_at: int | None
    attempts: int
    delivered_at: int | None
    answer: str


_NOTE = text("INSERT INTO notices (topic, job_id, task_id, account_id, detail, at)"
             " VALUES (:topic, :job_id, :task_id, :account_id, :detail, :at)")
_WAITING = text("SELECT id, topic, job_id, task_id, account_id, detail, at FROM notices ORDER BY id LIMIT :limit")
# whoever may hear of an account's things: its own hooks by ix_webhooks_account_id, and those of owners for the farm
_LISTENERS = text("""
    SELECT w.id, w.account_id, w.reach, w.form, w.url, w.secret, w.topics, w.created_at, w.disabled_at, w.reason
    FROM webhooks w JOIN accounts a ON a.id = w.account_id LEFT JOIN people p ON p.account_id = a.id
    WHERE w.disabled_at IS NULL AND p.closed_at IS NULL
    AND ((w.reach = 'own' AND w.account_id = :account_id) OR (w.reach = 'farm' AND a.role = 'owner'))
    ORDER BY w.id
""")
# by ix_hook_deliveries_waiting from hook to hook: of each that which failed most, else the oldest, so that a hook whose
# message is tried again later is sent none before; and by ix_hook_deliveries_tests a new test, whatever else waits. A
# limit on what is looked up, and `< 1` in place of `= 0`, keep PostgreSQL from walking all that waits
_DUE = text("""
    SELECT few.id FROM (
        SELECT f.id, min(f.is_test) AS is_test,
               (SELECT d.next_at FROM hook_deliveries d WHERE d.id = f.id LIMIT 1) AS next_at
        FROM (
            WITH RECURSIVE c (hook) AS (
                SELECT own_1.hook_id FROM (
                    SELECT w.hook_id FROM hook_deliveries w WHERE w.next_at IS NOT NULL
                    ORDER BY w.hook_id, w.attempts, w.id LIMIT 1
                ) own_1
                UNION ALL
                SELECT (SELECT w.hook_id FROM hook_deliveries w WHERE w.next_at IS NOT NULL AND w.hook_id > c.hook
                        ORDER BY w.hook_id, w.attempts, w.id LIMIT 1)
                FROM c WHERE c.hook IS NOT NULL
            )
            SELECT coalesce(
                (SELECT w.id FROM hook_deliveries w WHERE w.next_at IS NOT NULL AND w.hook_id = c.hook
                 AND w.attempts > 0 ORDER BY w.attempts DESC, w.id DESC LIMIT 1),
                (SELECT w.id FROM hook_deliveries w WHERE w.next_at IS NOT NULL AND w.hook_id = c.hook
                 AND w.attempts < 1 ORDER BY w.attempts, w.id LIMIT 1)
            ) AS id, 0 AS is_test FROM c
            UNION ALL
            SELECT min(t.id), 1 FROM hook_deliveries t
            WHERE t.topic = 'test' AND t.attempts = 0 AND t.next_at IS NOT NULL GROUP BY t.hook_id
        ) f GROUP BY f.id
    ) few WHERE few.next_at <= :now ORDER BY few.is_test, few.next_at, few.id LIMIT :limit
""")
# by ix_webhooks_account_id and ix_hook_deliveries_hook_id
_NEWEST = text("""
    SELECT id, hook_id, notice, topic, body, created_at, next_at, attempts, delivered_at, answer FROM (
        SELECT d.*, row_number() OVER (PARTITION BY d.hook_id ORDER BY d.id DESC) AS place
        FROM hook_deliveries d JOIN webhooks w ON w.id = d.hook_id WHERE w.account_id = :account_id
    ) newest WHERE place <= :limit ORDER BY id DESC
""")
_GIVE_UP = text("""
    UPDATE hook_deliveries SET next_at = NULL, answer = :answer
    WHERE next_at IS NOT NULL AND hook_id IN (SELECT id FROM webhooks WHERE account_id = :account_id)
""")
# by ix_hook_deliveries_waiting
_WAKE = text("UPDATE hook_deliveries SET next_at = :now"
             " WHERE hook_id = :hook_id AND attempts > 0 AND next_at IS NOT NULL AND next_at > :later")
_TAKE = text("UPDATE hook_deliveries SET next_at = :until, attempts = attempts + 1"
             " WHERE id = :id AND next_at IS NOT NULL AND next_at <= :now")
_FORGET = text("DELETE FROM hook_deliveries WHERE next_at IS NULL AND created_at < :before")


def note(tx: Tx, notices: Iterable[Notice], now: int) -> None:
    """Write down what hooks are to be told of, in the transaction of what happened."""
    for one in notices:
        tx.later(_NOTE, {"topic": one.topic, "job_id": one.job_id, "task_id": one.task_id,
                         "account_id": one.account_id, "detail": json.dumps(one.detail, sort_keys=True), "at": now})


def waiting(tx: Tx, limit: int) -> list[Notice]:
    """Return the oldest notices that have no deliveries yet."""
    return [Notice(Topic(row.topic), None if row.job_id is None else JobId(row.job_id),
                   None if row.task_id is None else TaskId(row.task_id),
                   None if row.account_id is None else AccountId(row.account_id),
                   json.loads(row.detail), row.at, row.id) for row in tx.execute(_WAITING, {"limit": limit})]


def take_notice(tx: Tx, notice_id: int) -> bool:
    """Take a notice away to make its deliveries; False where somebody else has done that."""
    return tx.execute(delete(tables.notices).where(tables.notices.c.id == notice_id)).rowcount == 1


def listeners(tx: Tx, account_id: AccountId | None) -> list[Hook]:
    """Return the hooks that may hear of what is an account's."""
    return [_hook(row) for row in tx.execute(_LISTENERS, {"account_id": account_id})]


def add_hook(tx: Tx, hook: Hook) -> int:
    """Add a hook, whose id is given now and returned."""
    row = {"account_id": hook.account_id, "reach": hook.reach, "form": hook.form, "url": hook.url,
           "secret": hook.secret, "topics": json.dumps(hook.topics), "created_at": hook.created_at}
    return int(tx.execute(insert(tables.webhooks).values(row).returning(tables.webhooks.c.id)).scalar_one())


def hooks_of(tx: Tx, account_id: AccountId, limit: int = MOST, after: int = 0) -> list[Hook]:
    """Return an account's hooks, the oldest first, those after an id."""
    hooks = tables.webhooks
    mine = hooks.c.account_id == account_id, hooks.c.id > after
    query = select(hooks).where(*mine).order_by(hooks.c.id).limit(limit)
    return [_hook(row) for row in tx.execute(query)]


def hook_of(tx: Tx, hook_id: int, account_id: AccountId | None = None) -> Hook:
    """Return a hook, of an account where one is named; raises NotFound."""
    row = tx.execute(select(tables.webhooks).where(tables.webhooks.c.id == hook_id)).one_or_none()
    if row is None or account_id not in {None, row.account_id}:
        raise NotFound(f"You have no webhook {hook_id}.")
    return _hook(row)


def remove_hook(tx: Tx, hook_id: int) -> None:
    """Remove a hook with all its deliveries."""
    tx.execute(delete(tables.hook_deliveries).where(tables.hook_deliveries.c.hook_id == hook_id))
    tx.execute(delete(tables.webhooks).where(tables.webhooks.c.id == hook_id))


def enable(tx: Tx, hook_id: int) -> None:
    """Have a hook told again."""
    tx.execute(update(tables.webhooks).where(tables.webhooks.c.id == hook_id).values(disabled_at=None, reason=""))


def disable(tx: Tx, hook_id: int, reason: str, now: int) -> None:
    """Tell a hook nothing more, and give up what waits for it."""
    tx.execute(update(tables.webhooks).where(tables.webhooks.c.id == hook_id).values(disabled_at=now, reason=reason))
    deliveries = tables.hook_deliveries
    mine = deliveries.c.hook_id == hook_id
    tx.execute(update(deliveries).where(mine, deliveries.c.next_at.is_not(None)).values(next_at=None))


def add_delivery(tx: Tx, hook_id: int, notice: str, topic: Topic, body: str, now: int) -> int:
    """Queue a message to a hook; returns its id."""
    row = {"hook_id": hook_id, "notice": notice, "topic": topic, "body": body, "created_at": now, "next_at": now}
    table = tables.hook_deliveries
    return int(tx.execute(insert(table).values(row).returning(table.c.id)).scalar_one())


def due(tx: Tx, now: int, limit: int) -> list[int]:
    """Return the next due delivery of each hook, none where one failed that is not due again, and new tests.

    Those come first that have been due for longest, and tests last.
    """
    return [int(row.id) for row in tx.execute(_DUE, {"now": now, "limit": limit})]


def take_delivery(tx: Tx, delivery_id: int, now: int, until: int) -> Delivery | None:
    """Take a due delivery until a time, when it is due again unless it is settled; None where somebody else has it."""
    if tx.execute(_TAKE, {"id": delivery_id, "now": now, "until": until}).rowcount != 1:
        return None
    table = tables.hook_deliveries
    return _delivery(tx.execute(select(table).where(table.c.id == delivery_id)).one())


def settle(tx: Tx, delivery: Delivery, answer: str, *, next_at: int | None, delivered_at: int | None) -> bool:
    """Write down how an attempt went, and when the next one is: none where the delivery was given up meanwhile.

    False where it was, or is gone with its hook: what bears its id now may be another one.
    """
    table = tables.hook_deliveries
    mine = and_(table.c.id == delivery.id, table.c.notice == delivery.notice)
    if delivered_at is None:
        mine = and_(mine, table.c.next_at.is_not(None))
    settled = update(table).where(mine).values(answer=answer, next_at=next_at, delivered_at=delivered_at)
    return tx.execute(settled).rowcount == 1


def wake(tx: Tx, hook_id: int, now: int, later: int) -> None:
    """Try again now what failed at a hook and would be tried again later than at a time."""
    tx.execute(_WAKE, {"hook_id": hook_id, "now": now, "later": later})


def deliveries_of(tx: Tx, hook_id: int, limit: int, before: int | None = None) -> list[Delivery]:
    """Return a hook's deliveries, the newest first, those before an id."""
    table = tables.hook_deliveries
    its = table.c.hook_id == hook_id, table.c.id < newest_below(before)
    query = select(table).where(*its).order_by(table.c.id.desc()).limit(limit)
    return [_delivery(row) for row in tx.execute(query)]


def newest_deliveries(tx: Tx, account_id: AccountId, limit: int) -> list[Delivery]:
    """Return the newest deliveries of each of an account's hooks, all of them the newest first."""
    return [_delivery(row) for row in tx.execute(_NEWEST, {"account_id": account_id, "limit": limit})]


def give_up_deliveries(tx: Tx, account_id: AccountId, answer: str) -> None:
    """Send nothing more of what waits for an account's hooks."""
    tx.execute(_GIVE_UP, {"account_id": account_id, "answer": answer})


def forget_before(tx: Tx, before: int) -> int:
    """Forget settled deliveries that are older; returns how many."""
    return tx.execute(_FORGET, {"before": before}).rowcount


def _hook(row: Row[Any]) -> Hook:
    return Hook(row.id, AccountId(row.account_id), Reach(row.reach), Form(row.form), row.url, row.secret,
                tuple(Topic(one) for one in json.loads(row.topics)), row.created_at, row.disabled_at, row.reason)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(row.id, row.hook_id, row.notice, Topic(row.topic), row.body, row.created_at, row.next_at,
                    row.attempts, row.delivered_at, row.answer)
