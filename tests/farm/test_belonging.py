"""A farm leaves files alone that another farm's database tells of, and makes no new database beside old files."""

import logging
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.conftest import World, backwards, new_database

from sheepfold.blobs.blobs import OWNER
from sheepfold.blobs.spool import Digest
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account
from sheepfold.farm.farm import open_farm
from sheepfold.farm.upkeep import sweep_blobs
from sheepfold.kinds.inspector import Inspector
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Conflict

Opened = Callable[[str], list[Digest]]


@pytest.fixture
def two(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Make two databases."""
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
    with new_database(dialect, request, folders[0]) as one, new_database(dialect, request, folders[1]) as another:
        yield one, another


@pytest.fixture
def opened(tmp_path: Path, shared_inspector: Inspector) -> Opened:
    """Open the farm of a database in one data folder, keep a file in it, and return what files lie there."""

    def keep(url: str) -> list[Digest]:
        settings = Settings(data=tmp_path / "data", database_url=url)
        with open_farm(settings, backwards, inspector=shared_inspector) as farm:
            farm.blobs.keep_bytes(b"a sheep")
            return [digest for digest, _ in farm.blobs.list_digests()]

    return keep


def test_another_farm_s_database_does_not_open_these_files(two: tuple[str, str], tmp_path: Path, opened: Opened):
    ours, other = two
    files = opened(ours)
    with open_farm(Settings(data=tmp_path / "elsewhere", database_url=other), backwards) as farm:
        farm.db.write(lambda tx: tx.execute(text("UPDATE identity SET farm = 'another'")))
        add_account(farm, "ann", Role.OWNER, "")
    with pytest.raises(Conflict, match="the database is of farm another"):
        opened(other)
    assert opened(ours) == files
    (tmp_path / "data" / "blobs" / OWNER).unlink()  # as the message says, by whoever knows better
    assert opened(other) == files


def test_a_new_database_does_not_open_old_files(two: tuple[str, str], tmp_path: Path, opened: Opened):
    ours, new = two
    files = opened(ours)
    (tmp_path / "data" / "blobs" / OWNER).unlink()
    with pytest.raises(Conflict, match="the database is a new one"):
        opened(new)
    assert [path.name for path in (tmp_path / "data" / "blobs").glob("??/*")] == files


def test_no_database_is_made_where_one_was_lost(tmp_path, opened: Opened):
    files = opened("")
    lost = tmp_path / "data" / "farm.sqlite"
    lost.rename(tmp_path / "kept")
    with pytest.raises(Conflict, match="no database"):
        opened("")
    assert not lost.exists()
    (tmp_path / "kept").rename(lost)
    assert opened("") == files


def test_a_farm_that_has_no_files_yet_may_begin_anew(tmp_path, shared_inspector):
    settings = Settings(data=tmp_path / "data")
    for _ in "12":
        with open_farm(settings, backwards, inspector=shared_inspector) as farm:
            owner = farm.blobs.owner()
        (tmp_path / "data" / "farm.sqlite").unlink()
    assert (tmp_path / "data" / "blobs" / OWNER).read_text() == owner


def test_a_farm_whose_files_are_all_away_does_not_begin_anew_in_their_place(
        world: World, tmp_path: Path, shared_inspector: Inspector, caplog: pytest.LogCaptureFixture):
    world.order()
    world.make_all(world.maker("box"))
    farm, disk = world.farm, world.farm.settings.data / "blobs"
    disk.rename(tmp_path / "away")
    disk.mkdir()  # where a disk was not mounted
    with (pytest.raises(Conflict, match="is the disk mounted"),
          open_farm(farm.settings, backwards, world.clock, shared_inspector)):
        pass
    with caplog.at_level(logging.ERROR):
        assert sweep_blobs(farm) == 0
    assert "is the disk mounted" in caplog.text
    assert farm.blobs.owner() == ""
    world.farm.blobs.belong_to("another")  # nor in the place of a farm that has none
    with (pytest.raises(Conflict, match="is the disk mounted"),
          open_farm(farm.settings, backwards, world.clock, shared_inspector)):
        pass
    shutil.rmtree(disk)
    (tmp_path / "away").rename(disk)
    with open_farm(farm.settings, backwards, world.clock, shared_inspector):
        assert world.findings() == []


def test_a_farm_goes_on_without_its_files_once_somebody_says_that_they_are_lost(
        world: World, shared_inspector: Inspector):
    world.order()
    world.make_all(world.maker("box"))
    disk = world.farm.settings.data / "blobs"
    shutil.rmtree(disk)
    disk.mkdir()
    with (pytest.raises(Conflict) as refused,
          open_farm(world.farm.settings, backwards, world.clock, shared_inspector)):
        pass
    (word,) = re.findall(r"write (\w+) into a file `farm`", str(refused.value))
    (disk / OWNER).write_text(word + "\n")
    with open_farm(world.farm.settings, backwards, world.clock, shared_inspector) as farm:
        assert farm.blobs.owner() == word
    assert {line.partition(":")[0] for line in world.findings()} == {"every blob that is named is there"}


def test_nothing_of_another_farm_is_swept(world: World, caplog: pytest.LogCaptureFixture):
    farm = world.farm
    ours = farm.blobs.owner()
    blob = farm.blobs.keep_bytes(b"a sheep of another fold")
    world.clock.advance(10 * farm.settings.orphan_blob_age_s)
    farm.blobs.belong_to("another")
    with caplog.at_level(logging.ERROR):
        assert sweep_blobs(farm) == 0
    assert "sweep=left reason=The files here are of farm another" in caplog.text
    farm.blobs.belong_to(ours)
    assert sweep_blobs(farm) == 1
    assert not farm.blobs.exists(blob.digest)
