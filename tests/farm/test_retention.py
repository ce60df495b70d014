"""Retention: what is old or too much is cleared; what is kept, living or held against others is not."""

import os
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import text
from tests.conftest import Clock, World, picture

from sheepfold.blobs.spool import Digest
from sheepfold.farm import retention
from sheepfold.farm.accounts import add_account
from sheepfold.farm.baselines import accept, changes_of
from sheepfold.farm.browse import open_picture, open_preview, open_product, story, view_job
from sheepfold.farm.chores import PREVIEW_WIDTH, heed_clock, put_off, take_chore
from sheepfold.farm.dispatch import open_blob
from sheepfold.farm.extending import extend_job
from sheepfold.farm.flock import list_flock, read_genomes
from sheepfold.farm.frames import list_frames
from sheepfold.farm.orders import cancel_job
from sheepfold.farm.repeating import render_again
from sheepfold.farm.retention import GUARD_S, Retention, clear_piece, hold, keep_job
from sheepfold.farm.storage import count_all, view_storage
from sheepfold.farm.upkeep import expire_leases, sweep_blobs
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Cleared, Forbidden, LeaseNotHeld, StoreUnavailable, UnknownBlob
from sheepfold.model.events import What
from sheepfold.model.jobs import Job
from sheepfold.store import chores as chore_rows
from sheepfold.store import clearing
from sheepfold.store import events as event_rows
from sheepfold.store import flock as flock_rows
from sheepfold.store import retention as retention_rows
from sheepfold.store.chores import LONGEST_DELAY_S, ChoreWhat
from sheepfold.store.clearing import Pile

DAY_S = 86_400


def told(world: World, **settings: int) -> None:
    """Give the farm other settings."""
    world.farm = replace(world.farm, settings=replace(world.farm.settings, **settings))


def made(world: World, first: int = 0, frames: int = 2, **spec: object) -> Job:
    """Order screenshots, and have them made with all that becomes of them."""
    job = world.order(frames, **spec)
    return finished(world, job, first)


def finished(world: World, job: Job, first: int = 0) -> Job:
    world.make_all(world.maker("box"), first)
    world.do_chores()
    return now(world, job)


def now(world: World, job: Job) -> Job:
    return view_job(world.farm, job.id).job


def retain(world: World, steps: int = 12) -> None:
    """Have the house keep to the settings for some beats."""
    keeper = Retention(world.farm)
    for _ in range(steps):
        keeper.step()
        world.do_chores()
        world.clock.advance(1)


def files(world: World) -> set[str]:
    return {digest for digest, _ in world.farm.blobs.list_digests()}


def bytes_of(world: World) -> int:
    return sum(world.farm.blobs.size(Digest(digest)) for digest in files(world))


def originals(world: World, job: Job) -> set[str]:
    return {result.digest for task in view_job(world.farm, job.id).tasks for result in world.task(task.id).results}


def test_by_default_everything_is_kept_for_ever(world: World):
    job = made(world)
    world.clock.advance(1000 * DAY_S)
    retain(world)
    assert now(world, job).cleared_at is None
    assert originals(world, job) <= files(world)
    assert view_storage(world.farm).next == ()


def test_pictures_older_than_the_farm_keeps_them_are_cleared_and_what_is_made_of_them_stays(world: World):
    told(world, keep_days=2)
    job = finished(world, world.flame())
    before = originals(world, job)
    task = view_job(world.farm, job.id).tasks[0]
    world.clock.advance(2 * DAY_S - 60)
    retain(world)
    assert now(world, job).cleared_at is None
    flock_rows_retired(world, job)
    world.clock.advance(60)
    retain(world)
    assert now(world, job).cleared_at is not None
    assert before & files(world) == set()
    with pytest.raises(Cleared, match=f"The pictures and files of job {job.id} were cleared on 20"):
        open_picture(world.farm, task.id)
    assert open_preview(world.farm, task.id, PREVIEW_WIDTH).size_bytes > 0
    assert open_product(world.farm, job.id, "film.mp4")[1].size_bytes > 0
    assert story(world.farm, task.id).events
    assert len(world.farm.db.read(lambda tx: event_rows.of_job(tx, job.id, What.JOB_CLEARED))) == 1
    assert world.findings() == []


def test_a_clock_that_was_set_back_keeps_nobody_from_looking_what_is_old(world: World):
    gone_by = Clock()
    world.farm = replace(world.farm, elapsed=gone_by)
    told(world, keep_days=2)
    world.clock.advance(30 * DAY_S)
    keeper = Retention(world.farm)
    for _ in range(2):  # of which the first counts, and then looks once more
        keeper.step()
    world.clock.advance(-30 * DAY_S)
    job = made(world)
    for _ in range(3):
        world.clock.advance(DAY_S)
        gone_by.advance(DAY_S)
        keeper.step()
    assert now(world, job).cleared_at is not None


def flock_rows_retired(world: World, job: Job) -> None:
    """Take a sheep out of the living flock."""
    assert world.farm.db.write(lambda tx: flock_rows.retire(tx, job.id, world.clock.now))


def test_nothing_new_is_made_of_what_is_cleared(world: World):
    told(world, keep_days=1)
    job = made(world)
    ann = world.account("ann")
    world.clock.advance(2 * DAY_S)
    retain(world)
    again, keep = partial(render_again, account=ann, frame=0), partial(keep_job, account=ann, is_kept=True)
    for deed in (list_frames, again, keep):
        with pytest.raises(Cleared):
            deed(world.farm, job_id=job.id)
    with pytest.raises(Cleared):
        extend_job(world.farm, ann, job.id, "5-6")
    assert now(world, job).state == "done"
    assert world.findings() == []


def test_a_result_that_comes_after_its_job_was_cleared_is_not_taken(world: World):
    told(world, keep_days=1)
    job = world.order()
    late = world.held(world.maker("late"), term_s=10)
    world.clock.advance(20)
    expire_leases(world.farm)
    finished(world, job)
    world.clock.advance(2 * DAY_S)
    retain(world)
    with pytest.raises(LeaseNotHeld, match="cleared"):
        world.send(late, picture(7))
    assert world.findings() == []


def test_a_job_that_somebody_keeps_stays_until_it_is_kept_no_more(world: World):
    told(world, keep_days=1)
    job, ann = made(world), world.account("ann")
    with pytest.raises(Forbidden):
        keep_job(world.farm, add_account(world.farm, "bob", Role.ARTIST, ""), job.id, is_kept=True)
    assert keep_job(world.farm, ann, job.id, is_kept=True).kept_at == world.clock.now
    world.clock.advance(9 * DAY_S)
    retain(world)
    assert originals(world, job) <= files(world)
    assert view_storage(world.farm).kept_jobs == 1
    assert keep_job(world.farm, ann, job.id, is_kept=False).kept_at is None
    retain(world)
    assert originals(world, job) & files(world) == set()


def test_the_living_flock_is_spared_and_a_dead_sheep_leaves_its_genome_and_its_film(world: World):
    told(world, keep_days=1)
    living, dead = finished(world, world.flame("r1")), finished(world, world.flame("r2"), 50)
    flock_rows_retired(world, dead)
    world.clock.advance(3 * DAY_S)
    retain(world)
    assert originals(world, living) <= files(world)
    assert originals(world, dead) & files(world) == set()
    sheep = view_job(world.farm, dead.id).sheep
    assert sheep is not None
    assert len(read_genomes(world.farm, sheep.id)) == 1
    assert [one.sheep.job_id for one in list_flock(world.farm).sheep] == [living.id]
    assert world.findings() == []


def test_a_sheep_that_will_never_be_seen_is_spared_no_longer_than_other_jobs(world: World):
    told(world, keep_days=1)
    owner = world.account("owner", Role.OWNER)
    seen, unseen, young = finished(world, world.flame("r1")), world.flame("r2"), world.flame("r3")
    cancel_job(world.farm, owner, unseen.id)
    render_again(world.farm, world.account("ann"), seen.id, 0)
    cancel_job(world.farm, owner, seen.id)
    world.clock.advance(3 * DAY_S)
    retain(world)
    assert now(world, unseen).cleared_at is not None
    assert [now(world, job).cleared_at for job in (seen, young)] == [None, None]
    assert [one.sheep.job_id for one in list_flock(world.farm).sheep] == [seen.id]


def test_a_full_generation_is_spared_until_the_next_has_a_film(world: World):
    told(world, keep_days=1)
    old = finished(world, world.flame("r1"))
    world.farm.db.write(lambda tx: tx.execute(text("UPDATE sheep SET number = 99999")))
    young = world.flame("r2")
    world.clock.advance(3 * DAY_S)
    retain(world)
    assert originals(world, old) <= files(world)
    finished(world, young, 50)
    retain(world)
    assert originals(world, old) & files(world) == set()
    assert originals(world, young) <= files(world)


def test_pictures_that_later_ones_are_held_against_are_spared(world: World):
    told(world, keep_days=1)
    first = made(world, baseline="home")
    second = made(world, baseline="home")
    accept(world.farm, world.account("ann"), second.id)
    world.clock.advance(3 * DAY_S)
    retain(world)
    third = made(world, 50, baseline="home")
    assert (now(world, first).cleared_at is None, now(world, second).cleared_at is None) == (False, True)
    assert changes_of(world.farm, third.id).baseline == second.id
    with pytest.raises(Cleared):
        accept(world.farm, world.account("ann"), first.id)
    assert world.findings() == []


def test_a_picture_that_another_job_shows_as_well_stays_there(world: World):
    told(world, keep_days=1)
    old = made(world)
    world.clock.advance(2 * DAY_S)
    new = made(world)
    assert originals(world, old) == originals(world, new)
    retain(world)
    with pytest.raises(Cleared):
        open_picture(world.farm, view_job(world.farm, old.id).tasks[0].id)
    assert open_picture(world.farm, view_job(world.farm, new.id).tasks[0].id)[1].size_bytes > 0
    assert world.findings() == []


def test_the_same_picture_made_again_after_it_was_cleared_is_there_again(world: World):
    told(world, keep_days=1)
    old = made(world)
    world.clock.advance(2 * DAY_S)
    retain(world)
    with pytest.raises(Cleared):
        open_blob(world.farm, min(originals(world, old)))
    new = made(world)
    assert originals(world, new) == originals(world, old) <= files(world)
    assert world.findings() == []


def test_what_dies_between_the_mark_and_the_deed_is_swept_later(world: World):
    told(world, keep_days=1)
    job = made(world)
    world.clock.advance(2 * DAY_S)
    keeper = Retention(world.farm)
    while not keeper.step():
        pass
    chore = world.farm.db.write(lambda tx: chore_rows.take(tx, world.clock.now, 60))
    assert chore is not None
    assert world.farm.db.write(partial(retention._marked, world.farm, chore)) is not None
    assert originals(world, job) <= files(world)
    assert world.findings() == []
    assert sweep_blobs(world.farm) == 2
    assert originals(world, job) & files(world) == set()
    assert world.findings() == []
    world.clock.advance(60)
    assert world.do_chores() == 1  # the next house does the same again, which changes nothing
    assert world.findings() == []


class Stubborn:
    """Blobs of which some cannot be deleted, and where nothing answers while they are away."""

    def __init__(self, world: World, stuck: set[str]) -> None:
        self._blobs = world.farm.blobs
        self.stuck = stuck
        self.is_away = False

    def __getattr__(self, name: str) -> object:
        if self.is_away:
            raise StoreUnavailable
        return getattr(self._blobs, name)

    def delete(self, digest: Digest, *, older_than: float | None = None) -> bool:
        if self.is_away or digest in self.stuck:
            raise StoreUnavailable("The farm cannot delete a file: Operation not permitted.")
        return self._blobs.delete(digest, older_than=older_than)


def test_a_file_that_cannot_be_deleted_keeps_no_other_from_being_cleared(world: World, caplog):
    told(world, keep_days=1)
    jobs = [made(world, frames=frames) for frames in (3, 1)]
    first, second = (originals(world, job) for job in jobs)
    blobs = Stubborn(world, {min(first), *second})
    world.farm = replace(world.farm, blobs=blobs)
    world.clock.advance(2 * DAY_S)
    retain(world)
    assert (first | second) & files(world) == blobs.stuck
    assert view_storage(world.farm).clearing == 0
    assert world.findings() == []
    assert [record for record in caplog.messages if min(first) in record] == [
        f"blob={min(first)} left=until_the_next_sweep reason=The farm cannot delete a file: Operation not permitted."]
    assert sweep_blobs(world.farm) == 0
    blobs.stuck = set()
    assert sweep_blobs(world.farm) == 2
    assert (first | second) & files(world) == set()
    assert world.findings() == []


def test_what_is_cleared_while_the_store_is_away_is_dropped_when_it_answers(world: World):
    told(world, keep_days=1)
    job = made(world)
    blobs = Stubborn(world, set())
    world.farm = replace(world.farm, blobs=blobs)
    world.clock.advance(2 * DAY_S)
    keeper = Retention(world.farm)
    while not keeper.step():
        pass
    blobs.is_away = True
    chore = take_chore(world.farm)
    assert chore is not None
    with pytest.raises(StoreUnavailable):
        clear_piece(world.farm, chore)
    put_off(world.farm, chore)
    assert view_storage(world.farm).clearing == 1
    blobs.is_away = False
    retain(world)
    assert originals(world, job) & files(world) == set()
    assert view_storage(world.farm).clearing == 0


def test_a_large_job_is_cleared_piece_by_piece(world: World, monkeypatch):
    monkeypatch.setattr(retention, "TASKS_AT_A_TIME", 2)
    told(world, keep_days=1)
    job = made(world, frames=5)
    world.clock.advance(2 * DAY_S)
    keeper, left = Retention(world.farm), []
    while not keeper.step():
        pass
    for _ in range(4):
        left.append(len(originals(world, job) & files(world)))
        assert keeper.step() == 0  # nothing else is decided meanwhile
        assert view_storage(world.farm).clearing == int(left[-1] > 0)
        world.do_chores()
        world.clock.advance(1)
    assert left == [5, 3, 1, 0]
    assert view_job(world.farm, job.id).chores_waiting == 0


def test_nothing_is_cleared_while_a_backup_is_made(world: World):
    told(world, keep_days=1)
    job = made(world)
    world.clock.advance(2 * DAY_S)
    world.farm.db.write(lambda tx: retention_rows.pause(tx, world.clock.now + 100))
    retain(world)
    assert originals(world, job) <= files(world)
    world.clock.advance(100)
    retain(world)
    assert originals(world, job) & files(world) == set()


def test_what_a_backup_holds_up_is_not_taken_for_a_clock_that_was_wrong(world: World):
    told(world, keep_days=1)
    made(world)
    world.clock.advance(2 * DAY_S)
    hold(world.farm)
    assert Retention(world.farm).step() == 1
    assert world.do_chores() == 1
    heed_clock(world.farm)
    assert world.do_chores() == 0
    world.clock.advance(LONGEST_DELAY_S)
    assert world.do_chores() == 1


def test_what_a_wrong_clock_has_held_up_for_years_is_dropped(world: World):
    told(world, keep_days=1)
    job = made(world)
    world.clock.advance(1000 * DAY_S)
    hold(world.farm)
    world.clock.advance(-500 * DAY_S)
    retain(world)
    assert originals(world, job) & files(world) == set()


def test_bytes_that_were_just_kept_again_are_not_dropped(world: World):
    told(world, keep_days=1)
    job = made(world)
    world.clock.advance(2 * DAY_S)
    for digest in originals(world, job):
        os.utime(world.farm.blobs.local_path(Digest(digest), world.folder), (world.clock.now - GUARD_S + 100,) * 2)
    retain(world)
    assert now(world, job).cleared_at is not None
    assert originals(world, job) <= files(world)
    world.clock.advance(DAY_S)
    assert sweep_blobs(world.farm) == 2


def test_above_the_ceiling_the_oldest_originals_go_first_and_then_films_and_previews(world: World):
    jobs = [made(world, 10 * number) for number in range(4)]
    world.clock.advance(GUARD_S)
    count_all(world.farm)
    all_bytes, pictures = bytes_of(world), bytes_of_originals(world, jobs[0])
    told(world, storage_limit_bytes=all_bytes - pictures // 2)
    retain(world)
    assert [now(world, job).cleared_at is not None for job in jobs] == [True, False, False, False]
    assert bytes_of(world) <= world.farm.settings.storage_limit_bytes
    previews = bytes_of(world) - sum(bytes_of_originals(world, job) for job in jobs[1:])
    told(world, storage_limit_bytes=previews * 3 // 4)
    retain(world, 30)
    assert [now(world, job).emptied_at is not None for job in jobs] == [True, False, False, False]
    assert bytes_of(world) <= world.farm.settings.storage_limit_bytes
    with pytest.raises(UnknownBlob):
        open_preview(world.farm, view_job(world.farm, jobs[0].id).tasks[0].id, PREVIEW_WIDTH)
    assert view_job(world.farm, jobs[0].id).products == ()
    assert story(world.farm, view_job(world.farm, jobs[0].id).tasks[0].id).events
    assert world.findings() == []


def test_a_cleared_job_comes_next_only_where_there_is_a_ceiling_and_at_no_time(world: World):
    told(world, keep_days=1)
    job = made(world)
    assert [(due.job_id, view_storage(world.farm).clears_at(due)) for due in view_storage(world.farm).next] == [
        (job.id, job.ended_at + DAY_S)]
    world.clock.advance(2 * DAY_S)
    retain(world)
    assert view_storage(world.farm).next == ()
    told(world, storage_limit_bytes=10**12)
    found = view_storage(world.farm)
    assert [(due.job_id, found.clears_at(due)) for due in found.next] == [(job.id, None)]


def bytes_of_originals(world: World, job: Job) -> int:
    return sum(world.farm.blobs.size(Digest(digest)) for digest in originals(world, job))


def test_what_lies_on_the_disk_is_counted_by_what_it_is_there_for(world: World):
    job = finished(world, world.flame())
    piles = {pile.sort: pile for pile in view_storage(world.farm).piles}
    assert piles["originals"].size_bytes == bytes_of_originals(world, job)
    assert piles["originals"].blobs == 2
    assert piles["inputs"].blobs == 3  # a genome, and one for each frame
    assert piles["previews"].blobs == 2
    assert piles["products"].blobs >= 1
    assert sum(pile.size_bytes for pile in piles.values()) == bytes_of(world)


def check_piles(world: World) -> None:
    """Hold what is told of the disk, without counting it anew, against a count."""
    found = world.farm.db.read(lambda tx: clearing.count_piles(tx, "", 9999))[0]
    told = [pile for pile in view_storage(world.farm).piles if pile != Pile(pile.sort, 0, 0)]
    assert told == sorted(found, key=lambda pile: clearing.SORTS.index(pile.sort))


def test_what_is_cleared_and_emptied_is_taken_off_the_piles_that_it_was_counted_in(world: World, monkeypatch):
    monkeypatch.setattr(retention, "TASKS_AT_A_TIME", 1)
    jobs = [finished(world, world.flame()), made(world, 7), made(world, 7)]  # the latter share all their files
    flock_rows_retired(world, jobs[0])
    world.clock.advance(DAY_S)
    count_all(world.farm)
    check_piles(world)
    for what, mark in ((ChoreWhat.CLEAR, "cleared_at"), (ChoreWhat.EMPTY, "emptied_at")):
        for job in jobs:
            assert retention._begin(world.farm, what, job.id, "a test")
            pieces = 0
            while world.do_chores():
                pieces += 1
                check_piles(world)
                world.clock.advance(1)
            assert pieces > 1
            assert getattr(now(world, job), mark) is not None
    assert view_storage(world.farm).size_bytes == bytes_of(world)
    assert [pile.sort for pile in view_storage(world.farm).piles if pile.blobs] == ["inputs"]  # the sheep's genome


def breed(world: World, rounds: int) -> None:
    """Let a flock of three live on a disk for about eight: each round a sheep is born, and the eldest of four dies."""
    living = [finished(world, world.flame(frames=3), 100 * number) for number in range(3)]
    kept = keep_job(world.farm, world.account("ann"), made(world, 7).id, is_kept=True)
    a_sheep = (bytes_of(world) - bytes_of_originals(world, kept)) // 3
    told(world, storage_limit_bytes=8 * a_sheep)
    keeper = Retention(world.farm)
    for number in range(3, 3 + rounds):
        living.append(finished(world, world.flame(frames=3), 100 * number))
        flock_rows_retired(world, living.pop(0))
        world.clock.advance(GUARD_S + 1)
        for _ in range(40):
            keeper.step()
            world.do_chores()
            world.clock.advance(10)
        assert bytes_of(world) <= world.farm.settings.storage_limit_bytes
        assert [one.sheep.job_id for one in list_flock(world.farm).sheep] == [job.id for job in living]
    for job in (*living, kept):
        assert originals(world, job) <= files(world)
    assert view_storage(world.farm).size_bytes == bytes_of(world)
    assert world.findings() == []


def test_a_breeding_flock_stays_under_its_ceiling(world: World):
    breed(world, 7)


@pytest.mark.slow
def test_a_flock_that_breeds_for_long_stays_under_its_ceiling(world: World):
    breed(world, 100)
