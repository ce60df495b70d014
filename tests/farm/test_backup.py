"""A farm's backup is a farm again: taken under load, of either database, and refused where it is spoilt."""

import errno
import json
import os
import shutil
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import obstore
import pytest
from tests.blobs.conftest import s3_endpoint, s3_url  # noqa: F401 -- fixtures
from tests.conftest import HEIGHT, WIDTH, World, backwards, balances, picture
from tests.farm.conftest import no_farm, until

from sheepfold.blobs.blobs import open_blobs
from sheepfold.blobs.local import LocalBlobs
from sheepfold.blobs.spool import Digest
from sheepfold.certificate import ensure_certificate
from sheepfold.config import Settings
from sheepfold.farm import backup
from sheepfold.farm.backup import STILL_S, back_up, restore
from sheepfold.farm.backups import ask_backup, list_backups, make_next_backup
from sheepfold.farm.belonging import see_files
from sheepfold.farm.browse import list_jobs, view_job
from sheepfold.farm.checkup import check
from sheepfold.farm.dispatch import held_lease
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.manifest import FILES, MANIFEST, prove, read_backup
from sheepfold.farm.retention import HOLD_S, Retention, hold, is_held
from sheepfold.farm.upkeep import sweep_blobs
from sheepfold.model.errors import BadInput, Conflict, Unavailable, UnknownBlob
from sheepfold.model.jobs import Job
from sheepfold.store import chores as chore_rows
from sheepfold.store import retention as retention_rows
from sheepfold.store import snapshot
from sheepfold.store.chores import ChoreWhat

DAY_S = 86_400


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


def test_a_new_folder_of_backups_or_of_a_restored_farm_is_its_user_s_alone(world: World, elsewhere, tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        for name in ("backup", "open"):
            back_up(world.farm, tmp_path / name)
        restore(elsewhere, tmp_path / "backup")
    finally:
        os.umask(before)
    modes = [folder.stat().st_mode & 0o777 for folder in (tmp_path / "backup", elsewhere.data, tmp_path / "open")]
    assert modes == [0o700, 0o700, 0o755]


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
    box, ended, seeds = world.maker("box"), threading.Event(), count()

    def work() -> None:
        while not ended.is_set():
            if assignment := world.claim(box):
                size = (WIDTH + assignment.frame, HEIGHT)
                world.send(held_lease(world.farm, box, assignment.lease_id), picture(next(seeds), size))
            else:
                world.order(frames=50)

    worker = threading.Thread(target=work)
    worker.start()
    backups = [back_up(world.farm, tmp_path / "backup")]
    while backups[-1].blobs < 20 and worker.is_alive():
        backups.append(back_up(world.farm, tmp_path / "backup"))
    assert worker.is_alive()
    ended.set()
    worker.join()
    assert backups[-1].blobs >= 20
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
    world.clock.advance(HOLD_S)
    cleared(world, job)
    made = back_up(world.farm, tmp_path / "backup")
    assert full.blobs - made.blobs == 1  # the other picture is one of the job that is kept as well
    assert sum(path.is_file() for path in (tmp_path / "backup" / "blobs").glob("*/*")) == made.blobs
    restore(elsewhere, tmp_path / "backup")
    with open_farm(elsewhere, backwards, world.clock, shared_inspector) as again:
        assert [view_job(again, one.id).job.cleared_at is None for one in (job, kept)] == [False, True]
        assert list(check(again, read_blobs=True)) == []


def test_what_a_backup_left_that_broke_off_goes_with_the_next(world: World, tmp_path):
    world.order()
    world.make_all(world.maker("box"))
    made = back_up(world.farm, tmp_path / "backup")
    left = [place / f"{place.name}{'0' * 62}.part" for place in (tmp_path / "backup" / "blobs").glob("??")]
    left.append(tmp_path / "backup" / "blobs" / "zz" / "halfway.part")  # one that only an earlier backup held
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half of a blob")
    assert back_up(world.farm, tmp_path / "backup").blobs == made.blobs
    assert [path for path in left if path.exists()] == []


def cleared(world: World, job: Job) -> None:
    """Have a job cleared, as the farm does when its time is over."""
    world.farm.db.write(lambda tx: retention_rows.clear(tx, job.id, world.clock.now))
    world.farm.db.write(lambda tx: chore_rows.add(tx, ChoreWhat.CLEAR, job.id, None, world.clock.now))
    assert world.do_chores() == 1


def files(world: World) -> int:
    return len(list(world.farm.blobs.list_digests()))


@pytest.fixture
def overdue(world: World, tmp_path: Path) -> World:
    """A farm that is to clear a job, whose files would be dropped at once, as old as they are."""
    world.farm = replace(world.farm, settings=replace(world.farm.settings, keep_days=1))
    world.order(frames=2)
    world.make_all(world.maker("box"))
    world.do_chores()
    world.clock.advance(5 * DAY_S)
    for digest, _ in world.farm.blobs.list_digests():
        os.utime(world.farm.blobs.local_path(digest, tmp_path), (1, 1))
    return world


@pytest.mark.parametrize("when", ["before", "behind", "later"])
def test_nothing_is_dropped_while_a_backup_is_made_and_all_goes_on_when_it_has_ended(
        overdue: World, elsewhere, tmp_path, shared_inspector, monkeypatch, when: str):
    save, lying = backup.save_database, files(overdue)

    def drop() -> None:
        assert Retention(overdue.farm).step() == 1  # the job is marked
        assert overdue.do_chores() == 1
        assert sweep_blobs(overdue.farm) == 0
        assert files(overdue) == lying

    def save_while_dropping(*where):
        if when == "before":
            drop()
        sort = save(*where)
        if when == "behind":
            drop()
        return sort

    monkeypatch.setattr(backup, "save_database", save_while_dropping)
    made = back_up(overdue.farm, tmp_path / "backup", told=lambda *_: when == "later" and drop())
    assert made.blobs == lying
    restore(elsewhere, tmp_path / "backup")
    with open_farm(elsewhere, backwards, overdue.clock, shared_inspector) as again:
        assert list(check(again, read_blobs=True)) == []
    overdue.clock.advance(HOLD_S)
    assert sweep_blobs(overdue.farm) > 0
    assert overdue.do_chores() == 1
    assert overdue.findings() == []


def test_the_hold_is_renewed_while_a_long_step_lasts(overdue: World, tmp_path, monkeypatch):
    def held() -> bool:
        return overdue.farm.db.write(lambda tx: retention_rows.paused_until(tx) == overdue.clock.now + HOLD_S)

    def slow(*where):
        for _ in range(3):
            overdue.clock.advance(HOLD_S - 1)
            until(held)
        return save(*where)

    save = backup.save_database
    monkeypatch.setattr(backup, "SIGN_PERIOD_S", 0.01)
    monkeypatch.setattr(backup, "save_database", slow)
    assert back_up(overdue.farm, tmp_path / "backup").blobs > 0


def test_a_backup_that_stood_still_for_too_long_leaves_the_last_as_it_was(overdue: World, tmp_path):
    made = back_up(overdue.farm, tmp_path / "backup")
    lying = sorted((tmp_path / "backup").rglob("*"))

    def sleep(*_: int) -> None:
        overdue.clock.advance(HOLD_S)
        Retention(overdue.farm).step()
        assert overdue.do_chores() == 1

    with pytest.raises(Unavailable, match="no sign of life"):
        back_up(overdue.farm, tmp_path / "backup", told=sleep)
    assert read_backup(tmp_path / "backup") == made
    assert sorted((tmp_path / "backup").rglob("*")) == lying


def test_a_backup_that_ends_while_its_hold_is_found_to_be_lost_is_none(overdue: World, tmp_path, monkeypatch):
    found = threading.Event()

    def find(farm: Farm) -> bool:
        was_held = hold(farm)
        if threading.current_thread().name == "backup-hold" and not was_held:
            found.set()
            time.sleep(0.5)  # meanwhile the backup is done
        return was_held

    def sleep(*_: int) -> None:
        overdue.clock.advance(HOLD_S)
        until(found.is_set)

    monkeypatch.setattr(backup, "hold", find)
    monkeypatch.setattr(backup, "SIGN_PERIOD_S", 0.01)
    with pytest.raises(Unavailable, match="no sign of life"):
        back_up(overdue.farm, tmp_path / "backup", told=sleep)


def test_a_backup_that_hangs_does_not_keep_the_farm_from_dropping_for_ever(overdue: World, tmp_path, monkeypatch):
    def held() -> bool:
        return overdue.farm.db.write(lambda tx: retention_rows.paused_until(tx) == overdue.clock.now + HOLD_S)

    def look() -> int:
        now = overdue.clock.now
        if threading.current_thread().name == "backup-hold":
            looks.append(now)
        return now

    def hang(*_: int) -> None:
        hung_at = overdue.clock.now
        while overdue.clock.now + HOLD_S - 1 < hung_at + STILL_S:
            overdue.clock.advance(HOLD_S - 1)
            until(held)
        for _ in range(2):  # a sign that was being given at the first moment still counts from then
            overdue.clock.advance(HOLD_S)
            until(lambda: looks.count(overdue.clock.now) > 2)  # a sign, had it any: each takes two
        assert Retention(overdue.farm).step() == 1
        assert overdue.do_chores() == 1
        assert not overdue.farm.db.write(lambda tx: is_held(tx, overdue.clock.now))

    looks: list[int] = []
    monkeypatch.setattr(backup, "SIGN_PERIOD_S", 0.01)
    with pytest.raises(Unavailable, match="no sign of life"):
        back_up(replace(overdue.farm, now=look), tmp_path / "backup", told=hang)


def test_a_database_is_copied_in_pieces_of_one_moment(world, elsewhere, tmp_path, shared_inspector, monkeypatch):
    world.order(frames=150)
    pieces: list[int] = []

    def order_more() -> None:
        if len(pieces) < 3:
            pieces.append(world.order().id)

    monkeypatch.setattr(snapshot, "PAGES_AT_A_TIME", 10)
    snapshot.save_database(world.farm.db, tmp_path / "database", order_more)
    snapshot.load_database(elsewhere.database_url, elsewhere.data, tmp_path / "database",
                           snapshot.revision_of(world.farm.db), lambda tx: None)
    with open_farm(elsewhere, backwards, world.clock, shared_inspector) as again:
        assert (len(pieces), len(list_jobs(again, 10))) == (3, 1)
        assert list(check(again)) == []


def is_one_of_many(path: object) -> bool:
    """Say whether a file is a table like all others, at each of which a disk need not die."""
    return Path(os.fsdecode(path)).suffix == ".copy" and Path(os.fsdecode(path)).stem != "blobs"


class Disk:
    """The disk under a folder; it dies after so many more changes: nothing is written, moved or removed there then."""

    def __init__(self) -> None:
        self._left = None
        sys.addaudithook(self._hear)

    @contextmanager
    def dying(self, folder: Path, changes: int):
        self._folder, self._left = folder, changes
        try:
            yield
        finally:
            self._left = None

    def _hear(self, event: str, arguments: tuple) -> None:
        if self._left is None or not self._changes(event, arguments):
            return
        if self._left == 0:
            raise OSError(errno.EIO, "the disk is dead")
        self._left -= not is_one_of_many(arguments[0])

    def _changes(self, event: str, arguments: tuple) -> bool:
        if event == "open":
            path, _, flags = arguments
            return bool(flags & (os.O_WRONLY | os.O_RDWR)) and self._lies_here(path)
        if event in {"os.rename", "os.link"}:
            return self._lies_here(arguments[1])
        if event in {"os.remove", "os.mkdir", "os.rmdir"}:
            return self._lies_here(arguments[0], arguments[-1])
        return event == "sqlite3.connect" and self._lies_here(arguments[0])

    def _lies_here(self, path: object, folder_descriptor: int = -1) -> bool:
        if isinstance(path, int):
            return False
        where = Path() if folder_descriptor < 0 else Path(f"/proc/self/fd/{folder_descriptor}").readlink()
        return (where / os.fsdecode(path)).is_relative_to(self._folder)


@pytest.fixture(scope="module")
def disk() -> Disk:
    return Disk()


def of_the_old_format(folder: Path) -> None:
    """Make a folder's backup as the format before had it: with a place for the database of all backups."""
    told = json.loads((folder / MANIFEST).read_text())
    own = folder / told.pop("own")
    (own / FILES).unlink()
    for part in own.iterdir():
        part.rename(folder / part.name)
    own.rmdir()
    del told["lost"], told["sums"]
    (folder / MANIFEST).write_text(json.dumps(told | {"format": 1}))


@pytest.mark.parametrize("made_by", ["this", "the format before"])
def test_wherever_a_backup_breaks_off_its_folder_holds_a_whole_one(
        world: World, disk, dialect, request, shared_inspector, made_by: str):
    ensure_certificate(world.farm.settings.data / "tls", "localhost", world.clock.now)
    first, second = world.folder / "first", world.folder / "second"
    job = world.order()
    world.make_all(world.maker("box"))
    back_up(world.farm, first)
    if made_by != "this":
        of_the_old_format(first)
    world.order(frames=2)
    world.make_all(world.maker("box"), first=7)
    world.do_chores()
    world.clock.advance(HOLD_S)
    cleared(world, job)
    blobs = back_up(world.farm, world.folder / "whole").blobs
    found, is_whole, apart = [], False, 1 if dialect == "sqlite" else 4  # a new database takes a while
    while not is_whole:
        shutil.rmtree(second, ignore_errors=True)
        shutil.copytree(first, second)
        with disk.dying(second, len(found) * apart), suppress(Unavailable):
            back_up(world.farm, second)
            is_whole = True
        data = world.folder / f"again-{len(found)}"
        with no_farm(data, dialect, request, world) as settings:
            restore(settings, second)
            with open_farm(settings, backwards, world.clock, shared_inspector) as again:
                found.append(len(list_jobs(again, 10)))
                assert list(check(again, read_blobs=True)) == []
            assert sorted(path.name for path in (data / "tls").iterdir()) == ["cert.pem", "key.pem"]
        if not is_whole:
            assert back_up(world.farm, second).blobs == blobs
        assert {path.name[:5] for path in second.iterdir()} == {"backu", "blobs", "farm-"}
        assert len(list(second.iterdir())) == 4
        assert len(list(second.glob("blobs/*/*"))) == blobs
    assert len(found) * apart > 20
    assert found == sorted(found)
    assert set(found) == {1, 2}


@pytest.mark.parametrize("loss", ["gone", "cut short"])
def test_what_the_farm_has_lost_is_named_and_all_else_is_saved(
        world: World, elsewhere, tmp_path, shared_inspector, loss: str):
    job = world.order(frames=3)
    world.make_all(world.maker("box"))
    digest = Digest(world.task(view_job(world.farm, job.id).tasks[1].id).results[0].digest)
    file = world.farm.blobs.local_path(digest, tmp_path)
    whole = file.read_bytes()
    file.unlink()
    if loss == "cut short":
        file.write_bytes(whole[:100])
    made = back_up(world.farm, tmp_path / "backup")
    assert (made.blobs, made.lost) == (2, (digest,))
    assert made.trouble.startswith(f"The backup lacks 1 file that the farm had lost: {digest}.")
    assert restore(elsewhere, tmp_path / "backup") == made
    with open_farm(elsewhere, backwards, world.clock, shared_inspector) as again:
        (finding,) = check(again, read_blobs=True)
        assert (finding.invariant, digest in finding.what) == ("every blob that is named is there", True)
    file.unlink(missing_ok=True)
    file.write_bytes(whole)
    mended = back_up(world.farm, tmp_path / "backup")
    assert (mended.blobs, mended.new_blobs, mended.trouble) == (3, 1, "")


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_what_is_spoilt_in_a_bucket_is_named_and_all_else_is_saved(world: World, request, tmp_path):
    bucket = open_blobs(request.getfixturevalue("s3_url"), world.farm.spool_folder)
    world.farm = replace(world.farm, blobs=bucket)
    job = world.order(frames=3)
    world.make_all(world.maker("box"))
    digests = [world.task(task.id).results[0].digest for task in view_job(world.farm, job.id).tasks]
    world.farm.blobs.delete(Digest(digests[0]))
    obstore.put(bucket._store, digests[1], b"rotten")
    made = back_up(world.farm, tmp_path / "backup")
    assert (made.blobs, set(made.lost)) == (1, set(digests[:2]))
    assert [path.name for path in (tmp_path / "backup" / "blobs").glob("*/*")] == digests[2:]


def test_what_the_farm_has_lost_and_the_backup_before_still_has_is_kept_there(world, elsewhere, tmp_path):
    world.order()
    world.make_all(world.maker("box"))
    made = back_up(world.farm, tmp_path / "backup")
    for digest, _ in list(world.farm.blobs.list_digests()):
        world.farm.blobs.delete(digest)
    again = back_up(world.farm, tmp_path / "backup")
    assert (again.blobs, again.lost) == (made.blobs, made.lost)
    assert restore(elsewhere, tmp_path / "backup").blobs == 1
    assert len(list((elsewhere.data / "blobs").glob("??/*"))) == 1


def test_two_backups_into_one_folder_are_one_after_the_other(overdue: World, tmp_path):
    def again(*_: int) -> None:
        with pytest.raises(Conflict, match="Another backup is being made"):
            back_up(overdue.farm, tmp_path / "backup")

    made = back_up(overdue.farm, tmp_path / "backup", told=again)
    assert made == read_backup(tmp_path / "backup")
    again = back_up(overdue.farm, tmp_path / "backup")
    assert again == replace(made, new_blobs=0, own=again.own, sums=again.sums)


def test_a_backup_elsewhere_does_not_end_the_hold_of_another(overdue: World, tmp_path):
    def another(*_: int) -> None:
        back_up(overdue.farm, tmp_path / "other")
        assert overdue.farm.db.write(lambda tx: is_held(tx, overdue.clock.now))

    assert back_up(overdue.farm, tmp_path / "backup", told=another) == read_backup(tmp_path / "backup")


@pytest.mark.parametrize("store", ["local", "s3"])
def test_no_farm_is_restored_to_where_another_has_its_files(
        world: World, elsewhere, request, tmp_path, shared_inspector, store: str):
    url = request.getfixturevalue("s3_url") if store == "s3" else str(tmp_path / "files")
    bucket = open_blobs(url, world.farm.spool_folder)
    world.farm = replace(world.farm, blobs=bucket)
    see_files(world.farm.db, bucket)
    world.order()
    world.make_all(world.maker("box"))
    made = back_up(world.farm, tmp_path / "backup")
    world.order()
    world.make_all(world.maker("box"), 2)
    world.do_chores()
    known = {digest for digest, _ in bucket.list_digests()}
    beside = replace(elsewhere, blobs_url=url)
    with pytest.raises(Conflict, match=f"files of farm {bucket.owner()} already"):
        restore(beside, tmp_path / "backup")
    assert not (beside.data / "farm.sqlite").exists()
    assert {digest for digest, _ in bucket.list_digests()} == known
    bucket.belong_to("another")
    assert restore(beside, tmp_path / "backup", is_gone=True) == made
    with open_farm(beside, backwards, world.clock, shared_inspector) as again:
        assert again.blobs.owner() == made.farm
        assert list(check(again)) == []


@pytest.mark.parametrize("broken", ["blob", "database"])
def test_a_restore_that_was_broken_off_is_no_farm_and_is_begun_again(
        overdue: World, elsewhere, tmp_path, shared_inspector, monkeypatch, broken: str):
    def end(_: object) -> None:
        raise OSError(errno.EIO, "the disk is dead", "here")

    made = back_up(overdue.farm, tmp_path / "backup")
    part = max((tmp_path / "backup").glob("blobs/*/*"))
    with monkeypatch.context() as patch:
        if broken == "blob":
            part.rename(tmp_path / "away")
            part.mkdir()
        else:
            patch.setattr(backup.backup_rows, "forget_unfinished", end)  # behind the last table
        where = f"{part}: Is a directory" if broken == "blob" else "here: the disk is dead"
        with pytest.raises(Unavailable, match=f"The farm in {elsewhere.data} cannot be made: {where}"):
            restore(elsewhere, tmp_path / "backup")
    assert not (elsewhere.data / "farm.sqlite").exists()
    if broken == "blob":
        part.rmdir()
        (tmp_path / "away").rename(part)
    assert restore(elsewhere, tmp_path / "backup") == made
    assert not list(elsewhere.data.glob("farm.sqlite?*"))
    with open_farm(elsewhere, backwards, overdue.clock, shared_inspector) as again:
        assert list(check(again, read_blobs=True)) == []
        assert balances(again) == balances(overdue.farm)


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_a_dead_farms_log_is_not_replayed_into_a_restored_one(world: World, elsewhere, tmp_path, ending: str):
    back_up(world.farm, tmp_path / "backup")
    elsewhere.data.mkdir()
    log = elsewhere.data / f"farm.sqlite{ending}"
    log.write_bytes(b"what a farm that was killed has left")
    with pytest.raises(BadInput, match=f"first move away {log}"):
        restore(elsewhere, tmp_path / "backup")
    assert log.exists()
    assert not (elsewhere.data / "blobs").exists()
    log.unlink()
    restore(elsewhere, tmp_path / "backup")


def test_a_spoilt_file_that_lies_where_a_farm_is_restored_is_put_anew(overdue: World, elsewhere, tmp_path):
    made = back_up(overdue.farm, tmp_path / "backup")
    blobs = LocalBlobs(elsewhere.data / "blobs", elsewhere.data / "spool")
    for path in (tmp_path / "backup" / "blobs").glob("*/*"):
        spoilt = elsewhere.data / "blobs" / path.parent.name / path.name
        spoilt.parent.mkdir(exist_ok=True)
        spoilt.write_bytes(bytes(path.stat().st_size))
    restore(elsewhere, tmp_path / "backup")
    assert [blobs.check(digest) for digest, _ in blobs.list_digests()] == [True] * made.blobs


def test_a_spoilt_or_unfinished_backup_is_refused(world: World, elsewhere, tmp_path):
    world.order()
    held = world.held(world.maker("box"))
    digest = world.send(held, picture()).digest
    back_up(world.farm, tmp_path / "backup")
    file = tmp_path / "backup" / "blobs" / digest[:2] / digest
    file.unlink()
    file.write_bytes(b"rotten")
    with pytest.raises(UnknownBlob, match=r"spoilt: its SHA-256 is \w+\. To restore all others, move it away"):
        restore(elsewhere, tmp_path / "backup")
    assert world.farm.blobs.check(Digest(digest))
    (tmp_path / "backup" / MANIFEST).unlink()
    with pytest.raises(BadInput, match="no finished backup"):
        restore(elsewhere, tmp_path / "backup")


def test_a_backup_does_not_lie_in_its_farm(world: World):
    with pytest.raises(BadInput, match="inside"):
        back_up(world.farm, world.farm.settings.data / "backup")


def test_a_backup_does_not_take_the_place_of_another_farm_s(world: World, tmp_path, shared_inspector):
    folder = tmp_path / "backup"
    world.order()
    made = back_up(world.farm, folder)
    with open_farm(Settings(data=tmp_path / "typo"), backwards, world.clock, shared_inspector) as blank:
        with pytest.raises(Conflict, match=f"another farm, {made.farm}"):
            back_up(blank, folder)
        manifest = json.loads((folder / MANIFEST).read_text())
        del manifest["farm"]  # as an older version wrote it
        (folder / MANIFEST).write_text(json.dumps(manifest))
        with pytest.raises(Conflict, match="another farm:"):
            back_up(blank, folder)
    assert list(prove(folder, read_backup(folder))) == []
    assert back_up(world.farm, folder).farm == made.farm
