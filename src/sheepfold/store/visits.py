"""Rows of orders of screenshots beyond their jobs, of the screenshots as Browsershots names them, and of small ones."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from sheepfold.model.accounts import AccountId
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import LeaseState, Soundness, TaskId, TaskState, Verdict
from sheepfold.store.database import Question, Tx


@dataclass(frozen=True, slots=True)
class Visit:
    """An order of screenshots: whose, of which page, and until when it is worth making, None for ever."""

    job_id: JobId
    account_id: AccountId
    url: str
    domain: str
    submitted_at: int
    expires_at: int | None = None


_ADD = text("""
    INSERT INTO visits (job_id, account_id, url, domain, submitted_at, expires_at)
    VALUES (:job_id, :account_id, :url, :domain, :submitted_at, :expires_at)
""")
# by pk_visits
_VISIT = text("""
    SELECT job_id, account_id, url, domain, submitted_at, expires_at FROM visits WHERE job_id = :job_id
""")
# by ix_visits_domain_submitted_at, ix_visits_account_id_submitted_at
_OF_DOMAIN = text("SELECT url FROM visits WHERE domain = :domain AND submitted_at > :since")
_OF_ACCOUNT = text("SELECT count(*) FROM visits WHERE account_id = :account_id AND submitted_at > :since")
# by ix_visits_expires_at
_EXPIRED = text("""
    SELECT job_id FROM visits WHERE closed_at IS NULL AND expires_at <= :now ORDER BY expires_at LIMIT :limit
""")
_CLOSE = text("UPDATE visits SET closed_at = :now WHERE job_id = :job_id")
_EXTEND = text("UPDATE visits SET expires_at = :expires_at WHERE job_id = :job_id")


def add_visit(tx: Tx, visit: Visit) -> None:
    """Note where an order leads."""
    tx.execute(_ADD, {name: getattr(visit, name) for name in Visit.__slots__})


def find_visit(tx: Tx, job_id: JobId) -> Visit | None:
    """Return what is known of an order, None where it is none of screenshots."""
    row = tx.execute(_VISIT, {"job_id": job_id}).one_or_none()
    if row is None:
        return None
    return Visit(JobId(row.job_id), AccountId(row.account_id), row.url, row.domain, row.submitted_at, row.expires_at)


def urls_of_domain(tx: Tx, domain: str, since: int) -> list[str]:
    """Return the pages of a domain that were ordered since then, once for each order."""
    return [str(row.url) for row in tx.execute(_OF_DOMAIN, {"domain": domain, "since": since})]


def count_of_account(tx: Tx, account_id: AccountId, since: int) -> int:
    """Return how many orders an account has given since then."""
    return int(tx.execute(_OF_ACCOUNT, {"account_id": account_id, "since": since}).scalar_one())


def expired(tx: Tx, now: int, limit: int) -> list[JobId]:
    """Return orders that are worth nothing any more and have not been closed."""
    return expired_in(tx.execute(*expired_asked(now, limit)))


def expired_asked(now: int, limit: int) -> Question:
    """Return the question that `expired_in` reads the answer of, to be asked along with others."""
    return _EXPIRED, {"now": now, "limit": limit}


def expired_in(rows: Iterable[Any]) -> list[JobId]:
    """Return the orders that rows tell of."""
    return [JobId(row.job_id) for row in rows]


def close(tx: Tx, job_id: JobId, now: int) -> None:
    """Note that an expired order needs no more care."""
    tx.execute(_CLOSE, {"job_id": job_id, "now": now})


def prolong(tx: Tx, job_id: JobId, expires_at: int) -> None:
    """Set until when an order is worth making."""
    tx.execute(_EXTEND, {"job_id": job_id, "expires_at": expires_at})


@dataclass(frozen=True, slots=True)
class Screenshot:
    """A picture as Browsershots names it: by whom and with which browser, of which page, and what the farm thinks."""

    hashkey: str
    task_id: TaskId
    job_id: JobId
    url: str
    factory: str
    platform: str
    browser: str
    version: str
    user_agent: str
    digest: str
    media_type: str
    width: int
    height: int
    size_bytes: int
    verdict: Verdict
    soundness: Soundness
    submitted_at: int
    granted_at: int
    uploaded_at: int


_ADD_SCREENSHOT = text("""
    INSERT INTO screenshots (hashkey, result_id, browser, version, user_agent, uploaded_at)
    VALUES (:hashkey, :result_id, :browser, :version, :user_agent, :now)
""")
_KEY_OF_RESULT = text("SELECT hashkey FROM screenshots WHERE result_id = :result_id")
_SCREENSHOT = """
    SELECT s.hashkey, r.task_id, t.job_id, v.url, m.name AS factory, COALESCE(f.platform, '') AS platform, s.browser,
           s.version, s.user_agent, r.digest, r.media_type, r.width, r.height, b.size_bytes, r.verdict, r.soundness,
           v.submitted_at, l.granted_at, s.uploaded_at
    FROM screenshots s JOIN results r ON r.id = s.result_id JOIN leases l ON l.id = r.lease_id
    JOIN tasks t ON t.id = r.task_id JOIN visits v ON v.job_id = t.job_id JOIN machines m ON m.id = r.machine_id
    JOIN blobs b ON b.digest = r.digest LEFT JOIN factories f ON f.machine_id = m.id
"""
# by pk_screenshots
_BY_KEY = text(_SCREENSHOT + " WHERE s.hashkey = :hashkey")
# by ix_screenshots_uploaded_at
_LATELY = """
    WHERE r.verdict = 'valid' AND t.job_id NOT IN (SELECT id FROM jobs WHERE private_at IS NOT NULL)
    ORDER BY s.uploaded_at DESC, s.hashkey LIMIT :limit
"""
_RECENT = text(_SCREENSHOT + _LATELY)
# by uq_tasks_job_id_frame_part, ix_results_task_id, uq_screenshots_result_id
_OF_JOB = text(_SCREENSHOT + " WHERE t.job_id = :job_id ORDER BY t.frame, s.uploaded_at")


def add_screenshot(tx: Tx, hashkey: str, result_id: int, browser: tuple[str, str, str], now: int) -> None:
    """Name a new result, by a browser of this name, version and User-Agent."""
    name, version, user_agent = browser
    values = {"hashkey": hashkey, "result_id": result_id, "browser": name, "version": version,
              "user_agent": user_agent, "now": now}
    tx.later(_ADD_SCREENSHOT, values)


def name_of(tx: Tx, result_id: int) -> str:
    """Return the name of a result that is a screenshot, empty where it has none."""
    return str(tx.execute(_KEY_OF_RESULT, {"result_id": result_id}).scalar_one_or_none() or "")


def find_screenshot(tx: Tx, hashkey: str) -> Screenshot | None:
    """Return the screenshot of a name, or None."""
    row = tx.execute(_BY_KEY, {"hashkey": hashkey}).one_or_none()
    return None if row is None else _screenshot(row)


def recent_screenshots(tx: Tx, limit: int) -> list[Screenshot]:
    """Return the newest valid screenshots."""
    return [_screenshot(row) for row in tx.execute(_RECENT, {"limit": limit})]


def screenshots_of_job(tx: Tx, job_id: JobId) -> list[Screenshot]:
    """Return all screenshots of an order."""
    return [_screenshot(row) for row in tx.execute(_OF_JOB, {"job_id": job_id})]


def _screenshot(row: Row[Any]) -> Screenshot:
    found: dict[str, Any] = {name: getattr(row, name) for name in Screenshot.__slots__}
    return Screenshot(**found | {"verdict": Verdict(row.verdict), "soundness": Soundness(row.soundness)})


@dataclass(frozen=True, slots=True)
class View:
    """How far a view of an order is: by its task, the leases on it, and the newest result of any wire.

    `granted_at` and `figures`, what its client has told, are of the newest lease that is active, if there is one.
    """

    task_id: TaskId
    frame: int
    state: TaskState
    granted_at: int | None
    figures: Mapping[str, Any]
    has_expired: bool
    submitted_at: int | None


# all by uq_tasks_job_id_frame_part, then by ix_leases_task_id and ix_results_task_id
_TASKS = text("SELECT id, frame, state FROM tasks WHERE job_id = :job_id ORDER BY frame, part")
_LEASES = text("""
    SELECT l.task_id, l.state, l.granted_at, CASE WHEN l.state = 'active' THEN l.figures END AS figures
    FROM tasks t JOIN leases l ON l.task_id = t.id
    WHERE t.job_id = :job_id AND l.state IN ('active', 'expired') ORDER BY l.id
""")
_SUBMITTED = text("""
    SELECT r.task_id, max(r.submitted_at) AS submitted_at FROM tasks t JOIN results r ON r.task_id = t.id
    WHERE t.job_id = :job_id GROUP BY r.task_id
""")


def views_of_job(tx: Tx, job_id: JobId) -> list[View]:
    """Return how far each view of an order is, in their order, with as many statements for many as for one."""
    asked = {"job_id": job_id}
    tasks, leases, submitted = tx.read_together((_TASKS, asked), (_LEASES, asked), (_SUBMITTED, asked))
    expired = {row.task_id for row in leases if row.state == LeaseState.EXPIRED}
    active = {row.task_id: row for row in leases if row.state == LeaseState.ACTIVE}  # the last of a task stays
    submitted_at = {row.task_id: row.submitted_at for row in submitted}
    return [
        View(TaskId(task.id), task.frame, TaskState(task.state), lease and lease.granted_at,
             json.loads(lease.figures) if lease else {}, task.id in expired, submitted_at.get(task.id))
        for task in tasks for lease in [active.get(task.id)]
    ]  # fmt: skip


# by pk_thumbnails
_THUMBNAIL = text("SELECT digest FROM thumbnails WHERE source = :source AND width = :width")
_SET_THUMBNAIL = text("""
    INSERT INTO thumbnails (source, width, digest) VALUES (:source, :width, :digest)
    ON CONFLICT (source, width) DO UPDATE SET digest = excluded.digest
""")


def find_thumbnail(tx: Tx, source: str, width: int) -> str | None:
    """Return the digest of a smaller copy of a blob, or None where none was made yet."""
    found = tx.execute(_THUMBNAIL, {"source": source, "width": width}).scalar_one_or_none()
    return None if found is None else str(found)


def set_thumbnail(tx: Tx, source: str, width: int, digest: str) -> None:
    """Name a smaller copy of a blob, which must be named before."""
    tx.execute(_SET_THUMBNAIL, {"source": source, "width": width, "digest": digest})
