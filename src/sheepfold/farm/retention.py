"""Retention: pictures that are old, or too much for the disk, are cleared, the oldest job first, in small steps.

First go a job's originals, the pictures as they were rendered, with its inputs; where that is not enough for the
ceiling, the films, previews and logs of what was cleared before. Its story stays for good.
"""

import datetime
import hashlib
import logging
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from sheepfold.blobs.spool import Digest
from sheepfold.farm.farm import Farm
from sheepfold.farm.rights import own_job
from sheepfold.farm.storage import COUNT_PERIOD_S, DAY_S, Count
from sheepfold.model.accounts import Account
from sheepfold.model.errors import Cleared, StoreUnavailable, UnknownBlob
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.tasks import TaskId
from sheepfold.store import chores as chore_rows
from sheepfold.store import clearing
from sheepfold.store import events as event_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import retention as retention_rows
from sheepfold.store.chores import LONGEST_DELAY_S, Chore, ChoreWhat
from sheepfold.store.database import Tx

TASKS_AT_A_TIME = 200
JOBS_AT_A_TIME = 20
PIECE_PERIOD_S = 1
"""How long a job's next piece waits for its turn, so that leases expire and films are made meanwhile."""
GUARD_S = 1800
"""Bytes that were kept so short ago stay for now: somebody may be about to name them, after an inspection."""
LOOK_PERIOD_S = 60
HOLD_S = 600
"""For how long nothing is dropped after the last sign of life of a backup under way."""

_EMPTY = Digest(hashlib.sha256().hexdigest())
_log = logging.getLogger(__name__)


class Retention:
    """The retention of a farm, one step at each beat of its house."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._count: Count | None = None
        self._next_count = 0.0
        self._next_look = 0.0
        self._lacks_room = False

    @property
    def lacks_room(self) -> bool:
        """Say whether there was more than the ceiling allows when it was looked at last."""
        return self._lacks_room

    def step(self, *, is_clock_doubted: bool = False) -> int:
        """Mark jobs whose time is over, or else count some blobs; returns how many jobs were marked.

        While a job is being cleared nothing else is decided: what it frees may be enough. Nor is anything where the
        clock is doubted.
        """
        farm = self._farm
        if farm.db.read(chore_rows.count_clearing):
            self._count = self._count and Count(farm)
            return 0
        if farm.elapsed() >= self._next_look and not is_clock_doubted:
            excess = _excess(farm)
            self._lacks_room = excess > 0
            if marked := _clear_old(farm) or _make_room(farm, excess):
                return marked
            self._next_look = farm.elapsed() + LOOK_PERIOD_S
        if self._count is None and farm.elapsed() >= self._next_count:
            self._count = Count(farm)
        if self._count is not None and self._count.step():
            self._count, self._next_count, self._next_look = None, farm.elapsed() + COUNT_PERIOD_S, 0.0
        return 0


def _clear_old(farm: Farm) -> int:
    days = farm.settings.keep_days
    if not days:
        return 0
    until = min(guarded_since(farm), farm.now() - days * DAY_S)
    old = farm.db.read(lambda tx: retention_rows.due(tx, until, farm.now(), JOBS_AT_A_TIME))
    return sum(_begin(farm, ChoreWhat.CLEAR, one.job_id, f"older than {days} days") for one in old)


def guarded_since(farm: Farm) -> int:
    """Return since when what was kept is not dropped."""
    return farm.now() - farm.blobs.fresh_s - GUARD_S


def hold(farm: Farm) -> bool:
    """Have nothing dropped for HOLD_S, since a backup copies it; returns whether that was so already."""
    def write(tx: Tx) -> bool:
        was_held = is_held(tx, farm.now())
        retention_rows.pause(tx, farm.now() + HOLD_S)
        return was_held

    return farm.db.write(write)


def is_held(tx: Tx, now: int) -> bool:
    """Say whether a backup is being made, and nothing may be dropped; none begins before this transaction has ended.

    What lasts for longer than any backup asks was written by a clock that was wrong.
    """
    return now < retention_rows.paused_until(tx) <= now + 2 * HOLD_S


def _excess(farm: Farm) -> int:
    """Return how many bytes more there are than the ceiling allows."""
    limit = farm.settings.storage_limit_bytes
    return max(0, sum(pile.size_bytes for pile in farm.db.read(clearing.piles_of)[0]) - limit) if limit else 0


def _make_room(farm: Farm, excess: int) -> int:
    """Begin to clear the oldest job where there is more than the ceiling allows."""
    if not excess:
        return 0
    limit = farm.settings.storage_limit_bytes
    why = f"{limit + excess} bytes are more than {limit}"
    if old := farm.db.read(lambda tx: retention_rows.due(tx, guarded_since(farm), farm.now(), 1)):
        return int(_begin(farm, ChoreWhat.CLEAR, old[0].job_id, why))
    if old := farm.db.read(lambda tx: retention_rows.emptiable(tx, 1)):
        return int(_begin(farm, ChoreWhat.EMPTY, old[0].job_id, why))
    _log.warning("storage_bytes=%d limit_bytes=%d clearable=none", limit + excess, limit)
    return 0


def _begin(farm: Farm, what: ChoreWhat, job_id: JobId, why: str) -> bool:
    """Mark a job, from which moment its pictures are gone for all, and queue what drops them."""
    marks = {ChoreWhat.CLEAR: (retention_rows.clear, What.JOB_CLEARED),
             ChoreWhat.EMPTY: (retention_rows.empty, What.JOB_EMPTIED)}  # fmt: skip
    mark, happened = marks[what]

    def begin(tx: Tx) -> bool:
        now = farm.now()
        if not mark(tx, job_id, now):
            return False
        chore_rows.add(tx, what, job_id, None, now)
        event_rows.add(tx, [Event(happened, job_id, None, {"reason": why})], now)
        return True

    is_begun = farm.db.write(begin)
    if is_begun:
        _log.info("retention=%s job=%d reason=%s", what, job_id, why.replace(" ", "_"))
    return is_begun


def clear_piece(farm: Farm, chore: Chore) -> None:
    """Drop what nobody needs of some tasks of a marked job; the chore goes on behind them.

    What is marked is committed before its bytes are dropped. Who dies between the two leaves bytes to the sweep, and so
    does `drop` with those that cannot be deleted. Raises StoreUnavailable where database or blobs do not answer: the
    chore stays where it is.
    """
    marked = farm.db.write(partial(_marked, farm, chore))
    if marked is None:
        return
    digests, tasks = marked
    drop(farm, [Digest(digest) for digest in digests], guarded_since(farm))

    def go_on(tx: Tx) -> None:
        if len(tasks) < TASKS_AT_A_TIME:
            chore_rows.end(tx, chore.id, failed=False)
        else:
            chore_rows.go_on(tx, chore.id, tasks[-1], farm.now() + PIECE_PERIOD_S)

    farm.db.write(go_on)


def drop(farm: Farm, digests: Iterable[Digest], older_than: int) -> int:
    """Delete blobs that were let go, unless they were kept again since; returns how many.

    One that cannot be deleted, such as for want of a right, keeps nobody from the others: it is logged, the first with
    its reason, and tried again by each sweep, which finds what lies there. Raises StoreUnavailable where the store does
    not answer at all.
    """
    dropped, left = 0, 0
    for digest in digests:
        try:
            dropped += farm.blobs.delete(digest, older_than=older_than)
        except StoreUnavailable as error:
            if not left:
                _check_answering(farm)
                _log.warning("blob=%s left=until_the_next_sweep reason=%s", digest, error)
            left += 1
    if left > 1:
        _log.warning("blobs=%s left=until_the_next_sweep", left)
    return dropped


def _check_answering(farm: Farm) -> None:
    """Raise StoreUnavailable where the store of blobs does not say of a blob whether it is there; it need not be."""
    with suppress(UnknownBlob):
        farm.blobs.size(_EMPTY)


def _marked(farm: Farm, chore: Chore, tx: Tx) -> tuple[list[str], list[TaskId]] | None:
    """Let go of a piece's blobs, and return them with its tasks; None while a backup is made."""
    now = farm.now()
    if is_held(tx, now):
        chore_rows.go_on(tx, chore.id, chore.task_id, now + LONGEST_DELAY_S)
        return None
    tasks = clearing.piece_of(tx, chore.job_id, chore.task_id, TASKS_AT_A_TIME)
    digests = clearing.named_by_tasks(tx, tasks)
    if chore.task_id is None:
        digests += clearing.named_by_job(tx, chore.job_id)
    if chore.what is not ChoreWhat.EMPTY:
        return clearing.let_go(tx, digests, now), tasks
    digests += clearing.made_of(tx, chore.job_id, tasks)
    return clearing.let_go(tx, digests, now, partial(clearing.drop_made, tx, chore.job_id, tasks)), tasks


def keep_job(farm: Farm, account: Account, job_id: JobId, *, is_kept: bool) -> Job:
    """Keep a job of this account for ever, or no longer than others; any as the owner.

    Raises UnknownJob, Forbidden, and Cleared where it is too late.
    """

    def change(tx: Tx) -> Job:
        job = own_job(tx, account, job_id)
        if (job.kept_at is not None) is is_kept:
            return job
        if not retention_rows.keep(tx, job_id, farm.now() if is_kept else None):
            check_there(job_rows.job_of(tx, job_id))
        told = {"account": account.name, "kept": "for ever" if is_kept else "as long as others"}
        event_rows.add(tx, [Event(What.JOB_KEPT, job_id, None, told)], farm.now())
        return job_rows.job_of(tx, job_id)

    return farm.db.write(change)


def check_there(job: Job) -> None:
    """Raise Cleared where a job's originals and inputs are gone, with a sentence for its artist."""
    if job.cleared_at is not None:
        raise Cleared(f"The pictures and files of job {job.id} were cleared on {_day(job.cleared_at)} to make room;"
                      " its story stays. Order it anew to have it rendered again.")


def _day(at: int) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()
