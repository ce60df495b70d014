"""A farm's backup is a farm again: taken under load, of either database, and refused where it is spoilt."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import HEIGHT, WIDTH, World, backwards, balances, new_database, picture

from sheepfold.blobs.spool import Digest
from sheepfold.farm.backup import HOLD_S, MANIFEST, back_up, read_backup, restore
from sheepfold.farm.backups import ask_backup, list_backups, make_next_backup
from sheepfold.farm.browse import list_jobs, view_job
from sheepfold.farm.checkup import check
from sheepfold.farm.dispatch import held_lease
from sheepfold.farm.farm import open_farm
from sheepfold.model.errors import BadInput, UnknownBlob
from sheepfold.model.jobs import Job
from sheepfold.store import chores as chore_rows
from sheepfold.store import retention as retention_rows
from sheepfold.store.chores import ChoreWhat


@pytest.fixture
def elsewhere(dialect: str, request: pytest.FixtureRequest, world: World, tmp_path: Path):
    """Settings of a farm that is not there yet, on an empty database of the same sort."""
    data = tmp_path / "elsewhere"
    if dialect == "sqlite":
        yield replace(world.farm.settings, data=data, database_url="")
        return
    with new_database(dialect, request, tmp_path) as url:
        yield replace(world.farm.settings, data=data, database_url=url)


def test_a_backup_is_a_farm_again(world: World, elsewhere, tmp_path, shared_inspector):
    world.order(frames=3)
    world.make_all(world.maker("box"))
    world.do_chores()
    made = back_up(world.farm, tmp_path / "backup")
    assert made == read_backup(tmp_path / "backup")
    restore(elsewhere, tmp_path / "backup")
    with open_farm(elsewhere, backwards, world.clock, shared_inspector) as again:
        assert balances(again) == balances(world.farm)
        assert list_jobs(again, 10) == list_jobs(world.farm, 10)
        assert list(check(again, read_blobs=True)) == []
        other = World(again, world.clock, tmp_path)
        other._accounts.append(world.account("ann"))
        assert other.order().id == 1001  # ids go on where they were
    with pytest.raises(BadInput, match="already"):
        restore(elsewhere, tmp_path / "backup")


def test_a_restored_farm_does_not_go_on_with_the_backup_that_it_was(world, elsewhere, tmp_path, shared_inspector):
    safe = tmp_path / "safe"
    world.farm = replace(world.farm, settings=replace(world.farm.settings, backup_folder=str(safe)))
    for _ in range(2):
        ask_backup(world.farm, None)
        assert make_next_backup(world.farm)
    restore(elsewhere, safe)
    with open_farm(elsewhere, backwards, world.clock, shared_inspector) as again:
        world.clock.now += 10 * HOLD_S
        assert not make_next_backup(again)
        assert [one.trouble for one in list_backups(again, 10)] == [""]


def test_a_backup_that_is_taken_under_load_agrees_with_itself(world: World, elsewhere, tmp_path, shared_inspector):
    world.order(frames=150)
    box, ended = world.maker("box"), threading.Event()

    def work() -> None:
        while not ended.is_set() and (assignment := world.claim(box)):
            size = (WIDTH + assignment.frame, HEIGHT)
            world.send(held_lease(world.farm, box, assignment.lease_id), picture(assignment.frame, size))

    worker = threading.Thread(target=work)
    worker.start()
    backups = [back_up(world.farm, tmp_path / "backup")]
    while backups[-1].blobs < 20 and worker.is_alive():
        backups.append(back_up(world.farm, tmp_path / "backup"))
    ended.set()
    worker.join()
    assert 20 <= backups[-1].blobs < 150
    restore(elsewhere, tmp_path / "backup")
    with open_farm(elsewhere, backwards, world.clock, shared_inspector) as again:
        assert list(check(again, read_blobs=True)) == []


def test_a_second_backup_copies_only_what_is_new(world: World, tmp_path):
    world.order(frames=2)
    box = world.maker("box")
    world.send(world.held(box), picture(1))
    first = back_up(world.farm, tmp_path / "backup")
    world.send(world.held(box), picture(2))
    second = back_up(world.farm, tmp_path / "backup")
    assert (first.new_blobs, second.blobs, second.new_blobs) == (1, 2, 1)


def test_what_is_cleared_is_cleared_in_a_backup_too_and_leaves_an_older_one(
        world: World, elsewhere, tmp_path, shared_inspector):
    job = world.order(frames=2, widths=[WIDTH, WIDTH + 1])
    kept = world.order()
    world.make_all(world.maker("box"))
    world.do_chores()
    full = back_up(world.farm, tmp_path / "backup")
    cleared(world, job)
    made = back_up(world.farm, tmp_path / "backup")
    assert full.blobs - made.blobs == 1  # the other picture is one of the job that is kept as well
    assert sum(path.is_file() for path in (tmp_path / "backup" / "blobs").glob("*/*")) == made.blobs
    restore(elsewhere, tmp_path / "backup")
    with open_farm(elsewhere, backwards, world.clock, shared_inspector) as again:
        assert [view_job(again, one.id).job.cleared_at is None for one in (job, kept)] == [False, True]
        assert list(check(again, read_blobs=True)) == []


def cleared(world: World, job: Job) -> None:
    """Have a job cleared, as the farm does when its time is over."""
    world.farm.db.write(lambda tx: retention_rows.clear(tx, job.id, world.clock.now))
    world.farm.db.write(lambda tx: chore_rows.add(tx, ChoreWhat.CLEAR, job.id, None, world.clock.now))
    assert world.do_chores() == 1


def test_nothing_is_cleared_while_a_backup_lasts_and_all_goes_on_when_it_has_ended(world: World, tmp_path):
    job = world.order()
    world.make_all(world.maker("box"))
    world.do_chores()
    world.farm.db.write(lambda tx: retention_rows.pause(tx, world.clock.now + 50))
    cleared(world, job)
    assert back_up(world.farm, tmp_path / "backup").blobs > 0
    assert world.findings() == []
    assert world.farm.db.write(retention_rows.paused_until) == 0


def test_a_spoilt_or_unfinished_backup_is_refused(world: World, elsewhere, tmp_path):
    world.order()
    held = world.held(world.maker("box"))
    digest = world.send(held, picture()).digest
    back_up(world.farm, tmp_path / "backup")
    file = tmp_path / "backup" / "blobs" / digest[:2] / digest
    file.unlink()
    file.write_bytes(b"rotten")
    with pytest.raises(UnknownBlob, match="spoilt"):
        restore(elsewhere, tmp_path / "backup")
    assert world.farm.blobs.check(Digest(digest))
    (tmp_path / "backup" / MANIFEST).unlink()
    with pytest.raises(BadInput, match="no finished backup"):
        restore(elsewhere, tmp_path / "backup")


def test_a_backup_does_not_lie_in_its_farm(world: World):
    with pytest.raises(BadInput, match="inside"):
        back_up(world.farm, world.farm.settings.data / "backup")
