"""Upkeep: what happens by time alone. Every deed is idempotent, may be late, and may be done by many at once."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from functools import partial
from itertools import islice

from sheepfold.blobs.spool import Digest, sweep_folders, sweep_spools
from sheepfold.farm.backups import Backups
from sheepfold.farm.belonging import see_files
from sheepfold.farm.chores import heed_clock, household, take_up_again
from sheepfold.farm.evolution import Evolution
from sheepfold.farm.expiry import expire_orders
from sheepfold.farm.farm import Farm
from sheepfold.farm.forgetting import forget_in_steps
from sheepfold.farm.hands import Hand
from sheepfold.farm.hiring import Hiring
from sheepfold.farm.leaps import Leaps
from sheepfold.farm.retention import Retention, drop, guarded_since, is_held
from sheepfold.farm.setbacks import Setbacks
from sheepfold.farm.settlement import settle
from sheepfold.farm.uploads import sweep_uploads
from sheepfold.model import lifecycle
from sheepfold.model.credit import favour
from sheepfold.model.errors import Conflict, Unavailable
from sheepfold.model.tasks import TaskId
from sheepfold.store import clearing, kept_answers, order_keys
from sheepfold.store import lanes as lane_rows
from sheepfold.store import leases as lease_rows
from sheepfold.store import ledger as ledger_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx

BEAT_S = 1.0
SWEEP_PERIOD_S = 3600
FULL_SWEEP_PERIOD_S = 300
"""How often blobs are swept while there are more than the ceiling allows."""
FOLDER_AGE_S = 7200
"""How long at most who works in a folder of the spool writes nothing there; uploads may wait for longer in a queue."""
FORGET_PERIOD_S = 86_400
ORDER_KEY_AGE_S = 7 * 86_400
"""How long the name of an order is remembered: who has not heard of it in a week will not ask again."""
EVOLUTION_PERIOD_S = 10
FAVOUR_PERIOD_S = 30
"""How often points are added up for the order of the claims, which may be a little behind."""
FAVOUR_SHARE = 0.05
"""The most of the house's time that this may take: it reads the whole ledger, a second for a million rows."""
AT_A_TIME = 100
"""How many overdue tasks are settled before others get their turn again."""
BLOBS_AT_A_TIME = 500
"""How many blobs the sweep looks at between two beats."""

_log = logging.getLogger(__name__)


def expire_leases(farm: Farm) -> int:
    """End leases that are past their deadline, so that their tasks open again; returns how many tasks were touched."""
    overdue = farm.db.read(lambda tx: task_rows.overdue_tasks(tx, farm.now(), AT_A_TIME))
    for task_id in overdue:
        _expire(farm, task_id)
    return len(overdue)


def _expire(farm: Farm, task_id: TaskId) -> None:
    def expire(tx: Tx) -> None:
        now = farm.now()
        task = task_rows.load(tx, task_id, lock=True)
        settle(tx, task, lifecycle.transition(task, now), now)

    farm.db.write(expire)


def shorten_leases(farm: Farm) -> int:
    """Have leases end at the latest time that any wire grants, where a clock that was wrong put off their end for
    longer; returns how many there were.
    """
    settings, now = farm.settings, farm.now()
    term_s = max(settings.lease_term_s, settings.silent_lease_term_s, settings.sheepit_lease_term_s,
                 settings.sheepit_max_period_s, settings.browsershots_lock_s)
    until = now + 2 * term_s
    if not farm.db.look(lambda tx: lease_rows.is_any_active_after(tx, until)):
        return 0
    shortened = farm.db.write(lambda tx: lease_rows.shorten(tx, until, now + term_s))
    _log.warning("leases_shortened=%d reason=%s", shortened, "the clock was set back")
    return shortened


def tidy_lanes(farm: Farm) -> int:
    """Fold what claims have charged, and wake lanes that a race put to sleep; returns how many woke.

    Where there is nothing to tidy nothing is written, so that an idle farm leaves its disk in peace.
    """
    if not farm.db.read(lane_rows.is_untidy):
        return 0
    woken = farm.db.write(lane_rows.tidy)
    if woken:
        _log.info("lanes_woken=%d", woken)
    return woken


def favour_earners(farm: Farm) -> int:
    """Give the accounts whose jobs wait their share by the points that they have to spend; returns how many changed."""
    waiting = farm.db.read(lambda tx: ledger_rows.purses(tx, waiting=True))

    def write(tx: Tx) -> int:
        return sum(ledger_rows.set_favour(tx, account_id, favour(purse)) for account_id, purse in waiting.items())

    return farm.db.write(write) if waiting else 0


def sweep_blobs(farm: Farm) -> int:
    """Drop blobs that nobody needs and that were kept more than a day ago; returns how many.

    Raises StoreUnavailable where database or blobs do not answer. A blob that cannot be deleted is left to the next.
    """
    return sum(sweep_in_steps(farm))


def sweep_in_steps(farm: Farm, *, is_full: bool = False) -> Iterator[int]:
    """Drop what `sweep_blobs` does, some blobs at each step; gives how many were dropped in it.

    Where the disk `is_full`, younger ones go as well: all that nobody can be about to name any more. None go where they
    are another farm's, which is logged.
    """
    try:
        see_files(farm.db, farm.blobs)
    except Conflict as error:
        _log.error("sweep=left reason=%s", error)
        return
    limit = guarded_since(farm)
    if not is_full:
        limit = min(limit, farm.now() - farm.settings.orphan_blob_age_s)
    listed = farm.blobs.list_digests()
    while some := list(islice(listed, BLOBS_AT_A_TIME)):
        old = [digest for digest, kept_at in some if kept_at < limit]
        needed = farm.db.look(partial(clearing.needed_of, digests=old)) if old else set()
        yield _dropped(farm, [digest for digest in old if digest not in needed], limit)


def _dropped(farm: Farm, digests: list[Digest], limit: int) -> int:
    """Drop those of some blobs that nobody needs, and what no row knows or names; none while a backup is made."""
    if not digests:
        return 0
    return drop(farm, farm.db.write(partial(_let_go, farm, digests)), limit)


def _let_go(farm: Farm, digests: list[Digest], tx: Tx) -> list[Digest]:
    """Let go of those of some blobs that nobody needs; returns them with those that no row knows, and none names.

    A backup that begins behind this transaction knows that they are gone.
    """
    now = farm.now()
    if is_held(tx, now):
        return []
    clearing.let_go(tx, digests, now)
    spared = clearing.lying_of(tx, digests) | clearing.unknown_of(tx, digests)
    return [digest for digest in digests if digest not in spared]


def forget_order_keys(farm: Farm) -> int:
    """Forget names of orders and other requests that nobody will send again; returns how many."""
    before = farm.now() - ORDER_KEY_AGE_S
    return farm.db.write(lambda tx: order_keys.forget(tx, before) + kept_answers.forget(tx, before))


class House:
    """The house thread, which does upkeep once a second, and the hands that do chores beside it."""

    def __init__(self, farm: Farm, make_executor: Callable[[], Executor]) -> None:
        self._farm = farm
        self._hiring = Hiring(make_executor)
        self._hands = [Hand(farm, make_executor) for _ in range(farm.settings.chore_processes)]
        self._has_taken_up = False
        self._ended = threading.Event()
        self._leaps = Leaps(farm)
        self._setbacks = Setbacks(farm)
        self._last_sweep = -math.inf
        self._sweep: Iterator[int] | None = None
        self._next_forgetting = 0.0
        self._forgetting: Iterator[int] | None = None
        self._retention = Retention(farm)
        self._next_step = 0.0
        self._next_favour = 0.0
        self._evolution = Evolution(farm)
        self._backups = Backups(farm)
        self._thread = threading.Thread(target=self._keep, name="house", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, with the chores at hand; where the farm is closing they are not waited for, and put back."""
        self._ended.set()
        for hand in self._hands:
            hand.dismiss()
        self._thread.join()
        self._backups.stop()
        self._hiring.end()

    def _keep(self) -> None:
        with household(self._farm) as is_alone:
            try:
                self._keep_on(is_alone=is_alone)
            finally:  # while the house is still ours: what the next one finds taken is nobody's
                for hand in self._hands:
                    hand.stop()

    def _keep_on(self, *, is_alone: bool) -> None:
        while not self._ended.is_set():
            next_beat = time.monotonic() + BEAT_S
            try:
                try:
                    self._settle_in(is_alone=is_alone)
                finally:  # leases expire, whatever keeps the hands from beginning
                    self.beat()
            except Unavailable as error:
                _log.warning("house=waiting reason=%s", error)
            except BrokenExecutor:
                _log.warning("house=hires reason=%s", "a sheep that was bred took its process down")
                self._hiring.dismiss()
            except Exception:  # noqa: BLE001 -- the house must outlive whatever stumbles in it
                _log.exception("house=stumbled")
            self._ended.wait(max(0.0, next_beat - time.monotonic()))

    def _settle_in(self, *, is_alone: bool) -> None:
        """Have the hands begin, once what a predecessor had taken can be taken again: it may have died of a chore.

        Done at each beat, so that a hand which could not begin does so at the next.
        """
        if is_alone and not self._has_taken_up:
            take_up_again(self._farm)
        self._has_taken_up = True
        for hand in self._hands:
            hand.start()

    def beat(self) -> None:
        """Do the upkeep that is due now."""
        while expire_leases(self._farm) == AT_A_TIME:
            pass
        expire_orders(self._farm)
        tidy_lanes(self._farm)
        heed_clock(self._farm)
        shorten_leases(self._farm)
        self._setbacks.step()
        self._favour()
        is_clock_doubted = self._leaps.is_clock_doubted()
        if is_clock_doubted:
            self._sweep = self._forgetting = None  # what is old was said by another clock
        else:
            self._sweep_on()
            self._forget_on()
        self._retention.step(is_clock_doubted=is_clock_doubted)
        self._backups.step()
        if self._farm.elapsed() >= self._next_step:
            self._next_step = self._farm.elapsed() + EVOLUTION_PERIOD_S
            self._evolution.step(self._hiring.executor())  # who fails to hire fails in evolution alone

    def _favour(self) -> None:
        if self._farm.elapsed() >= self._next_favour:
            began_at = time.monotonic()
            favour_earners(self._farm)
            took_s = time.monotonic() - began_at
            self._next_favour = self._farm.elapsed() + max(FAVOUR_PERIOD_S, took_s / FAVOUR_SHARE)

    def _sweep_on(self) -> None:
        """Take the next step of the sweep under way; a farm of a million files takes half an hour of them."""
        farm, is_full = self._farm, self._retention.lacks_room
        if self._sweep is None:
            wait_s = FULL_SWEEP_PERIOD_S if is_full else SWEEP_PERIOD_S
            if farm.elapsed() < self._last_sweep + wait_s:
                return
            self._last_sweep = farm.elapsed()
            self._sweep = sweep_in_steps(farm, is_full=is_full)
            self._sweep_spool()
            sweep_uploads(farm)
            forget_order_keys(farm)
        swept = next(self._sweep, None)
        if swept is None:
            self._sweep = None
        elif swept:
            _log.info("blobs_swept=%d", swept)

    def _sweep_spool(self) -> None:
        """Remove what crashes left there. Its age is by the system's clock, as the times of files that grow are."""
        now, folder = time.time(), self._farm.spool_folder
        sweep_spools(folder, now - max(self._farm.settings.orphan_blob_age_s, FOLDER_AGE_S))
        sweep_folders(folder, now - FOLDER_AGE_S)

    def _forget_on(self) -> None:
        """Take the next step of forgetting, once a day from the first on."""
        if self._forgetting is None and self._farm.elapsed() >= self._next_forgetting:
            self._next_forgetting = self._farm.elapsed() + FORGET_PERIOD_S
            self._forgetting = forget_in_steps(self._farm)
        if self._forgetting is None:
            return
        forgotten = next(self._forgetting, None)
        if forgotten is None:
            self._forgetting = None
        elif forgotten:
            _log.info("rows_forgotten=%d", forgotten)
