"""A backup is proven before anything is made of it: what is cut, spoilt or missing is named, on either database."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import World, backwards
from tests.disks import small_disk

from sheepfold.farm.backup import back_up, restore
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import open_farm
from sheepfold.farm.manifest import FILES, FORMAT, MANIFEST, prove, read_backup
from sheepfold.model.errors import BadInput, Unavailable


@pytest.fixture
def saved(world: World, tmp_path: Path) -> Path:
    """The backup of a farm that has worked."""
    world.order(frames=3)
    world.make_all(world.maker("box"))
    world.do_chores()
    back_up(world.farm, tmp_path / "backup")
    return tmp_path / "backup"


def own_of(folder: Path) -> Path:
    return folder / read_backup(folder).own


def blobs_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("blobs/*/*"))


def found_in(folder: Path) -> list[str]:
    return [finding.what for finding in prove(folder, read_backup(folder))]


def tell(folder: Path, **changes: object) -> None:
    """Change what a manifest says."""
    told = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(told | changes))


def of_the_format_before(folder: Path) -> None:
    """Make a folder's backup as the format before had it: without sums."""
    told = json.loads((folder / MANIFEST).read_text())
    del told["sums"]
    (folder / MANIFEST).write_text(json.dumps(told | {"format": 2}))


def spoil(path: Path, body: bytes) -> None:
    """Put something else in a file's place, and not into the farm's own, which is linked to it."""
    path.unlink()
    path.write_bytes(body)


def flipped(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


SPOILS = {
    "emptied": lambda body: b"",
    "cut at a line's end": lambda body: body[: body.rstrip(b"\n").rfind(b"\n") + 1],
    "cut anywhere": lambda body: body[: len(body) // 2],
    "spoilt, its size kept": flipped,
}


def test_whatever_of_the_database_and_the_lists_is_spoilt_is_named_and_nothing_is_made(saved: Path, elsewhere):
    before = sorted(elsewhere.data.rglob("*"))
    for file in sorted(path for path in own_of(saved).rglob("*.*") if path.stat().st_size):
        body = file.read_bytes()
        for how, spoilt in SPOILS.items():
            file.write_bytes(spoilt(body))
            with pytest.raises(BadInput, match="The backup is not as it was saved: ") as refused:
                restore(elsewhere, saved)
            sized = f"{file} has {file.stat().st_size:,} bytes, and not {len(body):,}. Restore another"
            assert (sized if len(spoilt(body)) != len(body) else f"{file} is spoilt: its SHA-256 is") in str(
                refused.value), how
        file.unlink()
        with pytest.raises(BadInput, match=f"{file} cannot be read: No such file or directory"):
            restore(elsewhere, saved)
        file.write_bytes(body)
    assert sorted(elsewhere.data.rglob("*")) == before
    assert restore(elsewhere, saved) == read_backup(saved)


def test_all_that_is_wrong_is_said_in_one_go_and_the_next_backup_heals_what_was_deleted(
        world: World, saved: Path, elsewhere, shared_inspector):
    assert found_in(saved) == []
    spoilt, gone, folder, *_ = blobs_in(saved)
    spoil(spoilt, flipped(spoilt.read_bytes()))
    gone.unlink()
    folder.unlink()
    folder.mkdir()
    assert [one.partition(": ")[0] for one in found_in(saved)] == [
        f"{spoilt} is spoilt", f"{gone} cannot be read", f"{folder} cannot be read"]
    (own_of(saved) / FILES).write_bytes(b"")
    assert [one.partition(" ")[0] for one in found_in(saved)] == [str(own_of(saved) / FILES), str(spoilt), str(folder)]
    folder.rmdir()
    back_up(world.farm, saved)
    assert [one.partition(": ")[0] for one in found_in(saved)] == [f"{spoilt} is spoilt"]  # by its size it is whole
    spoilt.unlink()
    assert back_up(world.farm, saved).new_blobs == 1
    assert found_in(saved) == []
    restore(elsewhere, saved)
    with open_farm(elsewhere, backwards, world.clock, shared_inspector) as again:
        assert list(check(again, read_blobs=True)) == []


def test_as_many_files_as_came_back_are_counted(saved: Path, elsewhere):
    made, (away, *_) = read_backup(saved), blobs_in(saved)
    size_bytes = away.stat().st_size
    away.unlink()
    assert restore(elsewhere, saved) == replace(made, blobs=made.blobs - 1, size_bytes=made.size_bytes - size_bytes)


def test_a_backup_of_the_format_before_is_restored_though_not_proven(world: World, saved: Path, elsewhere):
    assert read_backup(saved).doubt == ""
    of_the_format_before(saved)
    assert "nothing proves" in read_backup(saved).doubt
    assert found_in(saved) == []
    names = own_of(saved) / FILES
    body = names.read_bytes()
    names.write_bytes(SPOILS["cut at a line's end"](body))
    with pytest.raises(BadInput, match=rf"{names} names \d files, and not \d"):
        restore(elsewhere, saved)
    names.write_bytes(body)
    assert restore(elsewhere, saved) == read_backup(saved)
    back_up(world.farm, saved)
    assert read_backup(saved).doubt == ""


def test_what_shows_of_a_spoilt_database_without_sums_is_said(saved: Path, elsewhere, dialect: str):
    of_the_format_before(saved)
    file = own_of(saved) / "database" / {"sqlite": "farm.sqlite", "postgresql": "tasks.copy"}[dialect]
    body = file.read_bytes()
    file.unlink()
    with pytest.raises(BadInput, match=f"{file} is missing"):
        restore(elsewhere, saved)
    for spoilt in (body[: len(body) // 2], b"", b"no database " * 500):
        file.write_bytes(spoilt)
        if spoilt or dialect == "sqlite":  # that a table had no rows may be so
            with pytest.raises(BadInput, match=f"{file} is (no whole database of a farm|damaged): "):
                restore(elsewhere, saved)
    file.write_bytes(body)
    restore(elsewhere, saved)


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_database_of_another_revision_than_the_manifest_s_is_none_of_the_backup(saved: Path, elsewhere):
    of_the_format_before(saved)
    tell(saved, revision="0007")
    with pytest.raises(BadInput, match="is no database at revision 0007"):
        restore(elsewhere, saved)


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_farm_is_not_made_in_its_backup(saved: Path, elsewhere):
    lying = sorted(saved.rglob("*"))
    for data in (saved, saved / "farm", saved / "blobs" / ".." / "farm"):
        with pytest.raises(BadInput, match="inside of a backup"):
            restore(replace(elsewhere, data=data), saved)
    assert sorted(saved.rglob("*")) == lying


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_manifest_that_says_more_is_of_a_newer_version_only_by_its_format(saved: Path, elsewhere):
    made = read_backup(saved)
    tell(saved, flock="of the future")
    assert read_backup(saved) == made
    tell(saved, format=FORMAT + 1, own=None)
    with pytest.raises(BadInput, match=f"A newer version made this backup: it is of format {FORMAT + 1}"):
        restore(elsewhere, saved)


NONSENSE = ({"lost": None}, {"lost": [7]}, {"own": "../other"}, {"own": None}, {"format": "x"}, {"format": 0},
            {"blobs": "many"}, {"sums": [1]}, {"sums": {"files.txt": 7}})


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_manifest_that_makes_no_sense_is_none(saved: Path, elsewhere):
    told = (saved / MANIFEST).read_text()
    bodies = [json.dumps(json.loads(told) | changes) for changes in NONSENSE]
    for body in (*bodies, "[1, 2]", "", told[:100]):
        (saved / MANIFEST).write_text(body)
        with pytest.raises(BadInput, match="holds no finished backup"):
            restore(elsewhere, saved)


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_manifest_without_the_sums_of_its_format_is_refused(saved: Path, elsewhere):
    tell(saved, sums={})
    with pytest.raises(BadInput, match=f"has no sum of {FILES}"):
        restore(elsewhere, saved)


def test_a_full_disk_of_a_backup_is_told_as_the_backup_s(world: World, saved: Path, tmp_path: Path):
    (tmp_path / "small").mkdir()
    with small_disk(tmp_path / "small", "64k") as disk:
        (disk / "filler").write_bytes(bytes(40 * 1024))
        full = "(database or disk is full|No space left on device)"
        with pytest.raises(Unavailable, match=rf"The backup cannot be made: {disk}(/farm-\w+\.part/\S+)?: {full}"):
            back_up(world.farm, disk)
    assert world.findings() == []
    assert found_in(saved) == []


def test_a_full_disk_of_a_restored_farm_is_named_and_is_no_farm(saved: Path, elsewhere, tmp_path: Path):
    (tmp_path / "small").mkdir()
    with small_disk(tmp_path / "small", "24k") as disk:
        with pytest.raises(Unavailable, match=f"The farm in {disk} cannot be made: .*No space left on device"):
            restore(replace(elsewhere, data=disk), saved)
        assert not (disk / "farm.sqlite").exists()
