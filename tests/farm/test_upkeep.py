"""Upkeep: what happens by time alone."""

import errno
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text
from tests.conftest import TERM_S, Clock, World, picture

from sheepfold.blobs.blobs import Blob
from sheepfold.blobs.spool import Digest
from sheepfold.farm import upkeep
from sheepfold.farm.browse import newest_event_id, story, view_job
from sheepfold.farm.hands import Hand
from sheepfold.farm.keeping import name_blob
from sheepfold.farm.retention import GUARD_S
from sheepfold.farm.upkeep import (
    AT_A_TIME,
    FOLDER_AGE_S,
    FULL_SWEEP_PERIOD_S,
    SWEEP_PERIOD_S,
    House,
    expire_leases,
    shorten_leases,
    sweep_blobs,
    tidy_lanes,
)
from sheepfold.kinds.orphans import HumblePool
from sheepfold.model.errors import StoreUnavailable
from sheepfold.model.events import What
from sheepfold.model.jobs import Job
from sheepfold.model.tasks import LeaseState
from sheepfold.store import blobs as blob_rows
from sheepfold.store import chores as chore_rows
from sheepfold.store import clock as clock_rows
from sheepfold.store import retention as retention_rows
from sheepfold.store.chores import ChoreWhat
from sheepfold.store.database import Tx

DAY_S = 86_400


def test_a_lease_past_its_deadline_ends_and_its_task_opens(world: World):
    world.order()
    held = world.held(world.maker("box"))
    world.clock.advance(TERM_S - 1)
    assert expire_leases(world.farm) == 0
    world.clock.advance(1)
    assert expire_leases(world.farm) == 1
    assert expire_leases(world.farm) == 0
    assert world.task(held.task_id).leases[0].state is LeaseState.EXPIRED
    assert story(world.farm, held.task_id).events[-1].what is What.LEASE_EXPIRED
    assert world.held(world.maker("other")).task_id == held.task_id
    assert world.findings() == []


def test_leases_end_some_at_a_time(world: World):
    world.order(frames=AT_A_TIME + 5)
    box = world.maker("box")
    for _ in range(AT_A_TIME + 5):
        world.held(box)
    world.clock.advance(TERM_S)
    assert [expire_leases(world.farm) for _ in range(3)] == [AT_A_TIME, 5, 0]


def test_a_lane_that_sleeps_though_it_has_work_is_woken(world: World):
    world.order()
    world.farm.db.write(lambda tx: tx.execute(text("UPDATE lanes SET drained_at = 1")))
    assert world.claim(world.maker("box")) is None
    assert tidy_lanes(world.farm) == 1
    assert tidy_lanes(world.farm) == 0
    assert world.claim(world.maker("box")) is not None


def test_what_claims_have_charged_is_folded_once(world: World):
    world.order(frames=2)
    world.held(world.maker("box"))
    charged = text("""SELECT (SELECT sum(virtual_time) FROM lanes)
                             + (SELECT coalesce(sum(charge), 0) FROM lane_charges) AS total""")
    before = world.farm.db.read(lambda tx: tx.execute(charged).scalar_one())
    assert before > 0
    for _ in range(2):
        tidy_lanes(world.farm)
        assert world.farm.db.read(lambda tx: tx.execute(charged).scalar_one()) == before
    assert world.farm.db.read(lambda tx: tx.execute(text("SELECT count(*) FROM lane_charges")).scalar_one()) == 0


def kept(world: World, body: bytes, age_s: int) -> Digest:
    """Keep bytes that were last kept so long ago."""
    digest = world.farm.blobs.keep_bytes(body).digest
    then = world.clock.now - age_s
    os.utime(world.farm.blobs.local_path(digest, world.folder), (then, then))
    return digest


def test_the_sweep_drops_old_orphans_and_keeps_young_ones(world: World):
    old, young = kept(world, b"old", DAY_S + 1), kept(world, b"young", DAY_S - 1)
    assert sweep_blobs(world.farm) == 1
    assert (world.farm.blobs.exists(old), world.farm.blobs.exists(young)) == (False, True)


@pytest.mark.parametrize("is_full", [False, True])
def test_the_sweep_spares_what_somebody_may_be_about_to_name_whatever_the_owner_has_set(world: World, is_full: bool):
    world.farm = replace(world.farm, settings=replace(world.farm.settings, orphan_blob_age_s=60))
    old, young = kept(world, b"old", GUARD_S + 1), kept(world, b"young", GUARD_S - 1)
    assert sum(upkeep.sweep_in_steps(world.farm, is_full=is_full)) == 1
    assert (world.farm.blobs.exists(old), world.farm.blobs.exists(young)) == (False, True)


def test_the_sweep_goes_on_behind_a_file_that_cannot_be_deleted(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(upkeep, "BLOBS_AT_A_TIME", 1)
    for number in range(5):
        kept(world, b"old %d" % number, DAY_S + 1)
    first, *others = [digest for digest, _ in world.farm.blobs.list_digests()]
    delete, asked = world.farm.blobs.delete, []

    def refuse(digest: Digest, *, older_than: float) -> bool:
        asked.append(digest)
        if digest == first:
            raise StoreUnavailable("The farm cannot delete a file: Operation not permitted.")
        return delete(digest, older_than=older_than)

    monkeypatch.setattr(world.farm.blobs, "delete", refuse)
    for swept in (len(others), 0):
        assert sweep_blobs(world.farm) == swept
    assert [digest for digest, _ in world.farm.blobs.list_digests()] == [first]
    assert asked == [first, *others, first]


def test_the_sweep_comes_sooner_and_spares_less_while_there_is_too_much(world: World):
    world.farm = replace(world.farm, settings=replace(world.farm.settings, storage_limit_bytes=1))
    house = House(world.farm, lambda: ThreadPoolExecutor(1))
    old, young = kept(world, b"old", GUARD_S + 1), kept(world, b"young", GUARD_S - FULL_SWEEP_PERIOD_S - 1)
    world.order()
    world.send(world.held(world.maker("box")), picture())
    for _ in range(3):  # of which one counts what there is
        house.beat()
    assert world.farm.blobs.exists(old)
    world.clock.advance(FULL_SWEEP_PERIOD_S)
    house.beat()
    assert (world.farm.blobs.exists(old), world.farm.blobs.exists(young)) == (False, True)


def test_a_clock_that_leaps_drops_nothing_that_is_about_to_be_named(world: World):
    job, gone_by = world.order(), Clock()
    world.farm = replace(world.farm, elapsed=gone_by)
    house = House(world.farm, lambda: ThreadPoolExecutor(1))
    house.beat()
    old, fresh = kept(world, b"old", DAY_S + 1), kept(world, b"fresh", 0)
    world.clock.advance(2 * DAY_S)
    gone_by.advance(SWEEP_PERIOD_S)
    house.beat()
    assert world.farm.blobs.exists(fresh)
    name(world, job, fresh)
    for seconds in (GUARD_S - 1, 1):
        assert world.farm.blobs.exists(old)
        gone_by.advance(seconds)
        world.clock.advance(seconds)
        house.beat()
    assert (world.farm.blobs.exists(old), world.farm.blobs.exists(fresh)) == (False, True)


def name(world: World, job: Job, digest: Digest) -> None:
    """Have a job name bytes as its film."""
    def write(tx: Tx) -> None:
        name_blob(tx, Blob(digest, world.farm.blobs.size(digest)), world.clock.now)
        blob_rows.set_product(tx, job.id, "film.mp4", digest, "video/mp4", world.clock.now)

    world.farm.db.write(write)


def test_a_clock_that_leaps_and_is_set_right_clears_nothing(world: World):
    gone_by, settings = Clock(), replace(world.farm.settings, keep_days=1, keep_events_days=1)
    world.farm = replace(world.farm, elapsed=gone_by, settings=settings)
    job = world.order()
    world.make_all(world.maker("box"))
    world.do_chores()
    before = newest_event_id(world.farm)
    house = House(world.farm, lambda: ThreadPoolExecutor(1))
    for leap_s in (100 * DAY_S, -100 * DAY_S):
        world.clock.advance(leap_s)
        for _ in range(GUARD_S // 60):
            world.clock.advance(60)
            gone_by.advance(60)
            house.beat()
    assert newest_event_id(world.farm) == before
    assert view_job(world.farm, job.id).job.cleared_at is None
    assert len(story(world.farm, view_job(world.farm, job.id).tasks[0].id).events) > 1


def one_day(world: World) -> tuple[Clock, Job]:
    """Have a farm keep pictures for a day, and make a job's; returns the time that goes by, and the job."""
    gone_by, settings = Clock(), replace(world.farm.settings, keep_days=1)
    world.farm = replace(world.farm, elapsed=gone_by, settings=settings)
    job = world.order()
    world.make_all(world.maker("box"))
    world.do_chores()
    return gone_by, job


def beaten_for(world: World, house: House, gone_by: Clock, seconds: int) -> None:
    for _ in range(seconds // 60):
        world.clock.advance(60)
        gone_by.advance(60)
        house.beat()


def is_cleared(world: World, job: Job) -> bool:
    return view_job(world.farm, job.id).job.cleared_at is not None


def test_a_clock_that_leapt_is_doubted_by_a_house_that_begins_meanwhile(world: World):
    gone_by, job = one_day(world)
    house = House(world.farm, lambda: ThreadPoolExecutor(1))
    house.beat()
    world.clock.advance(100 * DAY_S)
    beaten_for(world, house, gone_by, 600)
    world.order()  # so that the newest moment is of the wrong clock
    again = House(world.farm, lambda: ThreadPoolExecutor(1))
    beaten_for(world, again, gone_by, GUARD_S - 660)
    assert not is_cleared(world, job)
    beaten_for(world, again, gone_by, 180)
    assert is_cleared(world, job)


def test_a_clock_that_was_doubted_while_it_was_ahead_is_not_doubted_by_each_house_to_come(world: World):
    gone_by, job = one_day(world)
    world.clock.advance(2 * DAY_S)
    world.order()
    world.farm.db.write(lambda tx: clock_rows.doubt(tx, world.clock.now + 100 * DAY_S))
    beaten_for(world, House(world.farm, lambda: ThreadPoolExecutor(1)), gone_by, GUARD_S - 60)
    assert not is_cleared(world, job)
    beaten_for(world, House(world.farm, lambda: ThreadPoolExecutor(1)), gone_by, 180)
    assert is_cleared(world, job)


def test_a_farm_that_starts_with_a_clock_far_ahead_clears_nothing_before_it_may_have_been_set_right(world: World):
    gone_by, job = one_day(world)
    world.clock.advance(2 * DAY_S)
    house = House(world.farm, lambda: ThreadPoolExecutor(1))
    beaten_for(world, house, gone_by, GUARD_S - 60)
    assert not is_cleared(world, job)
    beaten_for(world, house, gone_by, 180)
    assert is_cleared(world, job)


def test_a_job_that_ended_while_the_clock_was_behind_is_as_old_as_its_order(world: World):
    job = world.order()
    world.clock.advance(-10 * DAY_S)
    world.make_all(world.maker("box"))
    world.do_chores()
    world.clock.advance(10 * DAY_S)
    now = world.clock.now
    assert world.farm.db.read(lambda tx: retention_rows.due(tx, now - 1, now, 9)) == []
    assert [one.job_id for one in world.farm.db.read(lambda tx: retention_rows.due(tx, now, now, 9))] == [job.id]


def test_a_job_that_was_ordered_while_the_clock_was_ahead_is_as_old_as_its_end(world: World):
    world.clock.advance(1000 * DAY_S)
    job = world.order()
    world.clock.advance(-1000 * DAY_S)
    world.make_all(world.maker("box"))
    world.do_chores()
    ended = world.clock.now
    now = ended + 100 * DAY_S
    assert world.farm.db.read(lambda tx: retention_rows.due(tx, ended - 1, now, 9)) == []
    assert [one.job_id for one in world.farm.db.read(lambda tx: retention_rows.due(tx, ended, now, 9))] == [job.id]


def test_a_clock_that_is_set_back_does_not_keep_the_house_from_its_periods(world: World):
    gone_by = Clock()
    world.farm = replace(world.farm, elapsed=gone_by)
    house = House(world.farm, lambda: ThreadPoolExecutor(1))
    house.beat()
    world.clock.advance(-30 * DAY_S)
    house.beat()
    old = kept(world, b"old", DAY_S + 1)
    for _ in range(SWEEP_PERIOD_S // 60 + 1):
        gone_by.advance(60)
        world.clock.advance(60)
        house.beat()
    assert not world.farm.blobs.exists(old)


def test_a_lease_of_a_clock_that_was_ahead_ends_an_hour_after_it_was_set_back(world: World):
    world.order(frames=2)
    world.clock.advance(DAY_S)
    box = world.maker("box")
    ahead = world.held(box)
    world.clock.advance(-DAY_S)
    right = world.held(box)
    assert [shorten_leases(world.farm) for _ in range(2)] == [1, 0]
    world.clock.advance(TERM_S)
    assert expire_leases(world.farm) == 1
    assert world.task(right.task_id).leases[0].state is LeaseState.EXPIRED
    world.clock.advance(world.farm.settings.silent_lease_term_s - TERM_S)
    assert expire_leases(world.farm) == 1
    assert world.task(ahead.task_id).leases[0].state is LeaseState.EXPIRED
    assert world.findings() == []


def test_no_lease_that_a_wire_grants_is_shortened(world: World):
    world.order()
    world.held(world.maker("box"), term_s=2 * world.farm.settings.silent_lease_term_s)
    assert shorten_leases(world.farm) == 0


def test_the_sweep_leaves_the_row_of_a_young_blob_alone(world: World):
    blob = world.farm.blobs.keep_bytes(b"young")
    world.farm.db.write(lambda tx: name_blob(tx, blob, world.clock.now))
    kept(world, b"young", DAY_S - 1)
    assert sweep_blobs(world.farm) == 0
    assert world.farm.db.read(lambda tx: blob_rows.find(tx, blob.digest)) is not None


def test_a_step_of_the_sweep_looks_at_some_blobs_old_or_not(world: World, monkeypatch: pytest.MonkeyPatch):
    """Of a million young ones, to pass them all at once would keep the server from its requests for seconds."""
    monkeypatch.setattr(upkeep, "BLOBS_AT_A_TIME", 2)
    for number in range(5):
        kept(world, b"young %d" % number, 0)
    assert list(upkeep.sweep_in_steps(world.farm)) == [0, 0, 0]


def test_the_sweep_forgets_the_row_of_a_blob_that_nothing_needs(world: World):
    digest = kept(world, b"old", DAY_S + 1)
    blob = world.farm.blobs.keep_bytes(b"old")
    world.farm.db.write(lambda tx: name_blob(tx, blob, world.clock.now))
    kept(world, b"old", DAY_S + 1)
    assert sweep_blobs(world.farm) == 1
    assert not world.farm.blobs.exists(digest)
    assert world.findings() == []


def test_the_sweep_keeps_whatever_is_named_however_old(world: World):
    world.flame()
    box = world.maker("box")
    held = world.held(box)
    log = world.farm.blobs.keep_bytes(b"a log")
    world.farm.db.write(lambda tx: name_blob(tx, log, world.clock.now))
    from sheepfold.farm.dispatch import give_up

    give_up(world.farm, held, "It crashed.", failed=True, log=log.digest)
    world.make_all(box)
    world.do_chores()
    digests = [digest for digest, _ in world.farm.blobs.list_digests()]
    assert len(digests) > 6  # a genome, frames' genomes, results, previews, products, the log
    for digest in digests:
        os.utime(world.farm.blobs.local_path(digest, world.folder), (1, 1))
    assert sweep_blobs(world.farm) == 0
    assert world.findings() == []


def test_a_blob_that_is_sent_again_begins_anew(world: World):
    digest = kept(world, picture(), DAY_S + 1)
    world.order()
    world.send(world.held(world.maker("box")), picture())
    assert sweep_blobs(world.farm) == 0
    assert world.farm.blobs.exists(digest)


def test_the_house_sweeps_what_a_crash_left_in_the_spool(world: World):
    spool = world.farm.spool_folder
    killed, going_on = spool / "order-killed", spool / "order-going_on"
    for folder in (killed, going_on):
        folder.mkdir()
    lost, waiting = spool / "spool-lost", spool / "spool-waiting"
    for upload in (lost, waiting):
        upload.touch()
    for path, age_s in ((killed, FOLDER_AGE_S + 1), (waiting, FOLDER_AGE_S + 1), (lost, DAY_S + 1)):
        os.utime(path, (time.time() - age_s,) * 2)
    House(world.farm, lambda: ThreadPoolExecutor(1)).beat()
    assert set(spool.iterdir()) == {going_on, waiting}


def until(is_so) -> None:
    """Wait until something is so; the test's own time limit ends it."""
    while not is_so():
        time.sleep(0.01)


def spare_what_is_new(world: World) -> None:
    """Have the sweep spare what a chore is about to name: by the world's clock, which is ahead, it is old already."""
    world.farm = replace(world.farm, settings=replace(world.farm.settings, orphan_blob_age_s=10**9))


def test_the_house_does_chores_and_upkeep_by_itself(world: World):
    spare_what_is_new(world)
    house = House(world.farm, lambda: ThreadPoolExecutor(1))
    house.start()
    try:
        job = world.order()
        late = world.held(world.maker("late"))
        world.clock.advance(TERM_S)
        until(lambda: world.task(late.task_id).leases[0].state is LeaseState.EXPIRED)
        world.make_all(world.maker("box"))
        until(lambda: view_job(world.farm, job.id).chores_waiting == 0)
        assert view_job(world.farm, job.id).products
    finally:
        house.stop()
    assert world.findings() == []


class Slow(ThreadPoolExecutor):
    """An executor that needs as long for everything as it takes until it may go on."""

    def __init__(self, may_go_on: Callable[[], object]) -> None:
        super().__init__(1)
        self._may_go_on = may_go_on

    def submit(self, deed, *words: object) -> Future[object]:
        return super().submit(lambda: (self._may_go_on(), deed(*words))[1])


def test_leases_expire_while_a_chore_takes_long(world: World):
    world.order(frames=2)
    late = world.held(world.maker("late"))
    assert world.make_all(world.maker("box")) == 1
    over = threading.Event()
    house = House(world.farm, lambda: Slow(over.wait))
    house.start()
    try:
        until(lambda: taken(world) == [1])
        world.clock.advance(TERM_S)
        until(lambda: world.task(late.task_id).leases[0].state is LeaseState.EXPIRED)
        assert taken(world) == [1]
    finally:
        over.set()
        house.stop()
    assert world.findings() == []


def test_upkeep_goes_on_while_there_are_always_chores(world: World, monkeypatch: pytest.MonkeyPatch):
    job = world.order()
    world.make_all(world.maker("box"))
    begun: list[None] = []

    def another() -> None:
        """Leave another chore behind each that is done."""
        begun.append(None)
        world.farm.db.write(lambda tx: chore_rows.add(tx, ChoreWhat.ASSEMBLE, job.id, None, world.clock.now))

    house, beats = House(world.farm, lambda: Slow(another)), []
    monkeypatch.setattr(house, "beat", lambda: beats.append(len(begun)))
    house.start()
    try:
        until(lambda: len(beats) >= 3 and beats[-1] > 3)
    finally:
        house.stop()
    assert view_job(world.farm, job.id).chores_waiting > 0


class Fragile(Executor):
    """An executor that dies of its first chore."""

    def submit(self, *_: object, **__: object) -> Future[object]:
        raise BrokenExecutor("A process in the pool was ended abruptly.")


def do_chores_of_a_job(world: World, hire: Callable[[], Executor]) -> None:
    """Have a house that hires so do what a job's pictures ask for."""
    spare_what_is_new(world)
    job = world.order()
    world.make_all(world.maker("box"))
    house = House(world.farm, hire)
    house.start()
    try:
        until(lambda: world.clock.advance(60) and view_job(world.farm, job.id).chores_waiting == 0)
    finally:
        house.stop()


def test_the_house_hires_anew_when_a_chore_took_its_process_down(world: World):
    hired: list[Executor] = []

    def hire() -> Executor:
        hired.append(ThreadPoolExecutor(1) if len(hired) > 1 else Fragile())  # the house's own, then its hand's
        return hired[-1]

    do_chores_of_a_job(world, hire)
    assert len(hired) == 3
    assert world.findings() == []


def test_a_hand_that_could_not_hire_anew_at_once_does_so_later(world: World):
    hired = iter([ThreadPoolExecutor(1), Fragile(), None, None, ThreadPoolExecutor(1)])  # the first is the house's own

    def hire() -> Executor:
        executor = next(hired)
        if executor is None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return executor

    do_chores_of_a_job(world, hire)
    assert next(hired, None) is None
    assert world.findings() == []


def test_upkeep_goes_on_while_the_house_cannot_hire_anew(world: World):
    world.farm = replace(world.farm, settings=replace(world.farm.settings, flock_loops=1))
    hired: list[str] = []

    def hire() -> Executor:
        hired.append("one")
        if len(hired) > 2:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return ThreadPoolExecutor(1) if len(hired) > 1 else Fragile()  # the house's own, then its hand's

    world.order()
    house = House(world.farm, hire)
    house.start()
    try:
        until(lambda: world.clock.advance(10) and len(hired) > 3)
        late = world.held(world.maker("late"))
        world.clock.advance(TERM_S)
        until(lambda: world.task(late.task_id).leases[0].state is LeaseState.EXPIRED)
    finally:
        house.stop()
    assert world.findings() == []


def test_a_house_of_a_server_that_ends_leaves_its_chore_to_the_next(world: World):
    job = world.order()
    world.make_all(world.maker("box"))
    pool = HumblePool(1)
    pool.submit(time.sleep, 3600)  # the chore's own work waits behind this
    house = House(world.farm, lambda: pool)
    house.start()
    until(lambda: taken(world) == [1])
    world.farm.closing.set()
    house.stop()
    assert taken(world) == []
    world.farm.closing.clear()
    assert world.do_chores() == 2
    assert view_job(world.farm, job.id).products
    assert world.findings() == []


def taken(world: World) -> list[int]:
    """Return how often each of the chores that somebody does just now was begun."""
    query = text("SELECT attempts FROM chores WHERE state = 'queued' AND taken_by <> ''")
    return [row.attempts for row in world.farm.db.read(lambda tx: tx.execute(query))]


def test_an_idle_house_writes_nothing(world: World):
    world.order()
    commits: list[None] = []
    house, hand = House(world.farm, lambda: ThreadPoolExecutor(1)), Hand(world.farm, lambda: ThreadPoolExecutor(1))
    house.beat()
    before = newest_event_id(world.farm)
    world.farm.db.listen(lambda: commits.append(None))
    for _ in range(3):
        house.beat()
        hand.do_chores()
    assert commits == []
    assert newest_event_id(world.farm) == before
