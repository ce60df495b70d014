"""Passing folders: gone at the end of what they are for, and no word about a file where the machine is in trouble."""

import errno
import os
import time
from pathlib import Path

import pytest
from tests.conftest import World
from tests.disks import small_disk

from sheepfold.blobs.spool import sweep_folders
from sheepfold.farm.orders import Order, order_job
from sheepfold.farm.passing import passing_folder
from sheepfold.model.errors import InvalidSpec, StoreUnavailable


def test_a_passing_folder_goes_with_all_that_is_in_it(world: World):
    with passing_folder(world.farm, "order") as folder:
        (folder / "a").mkdir()
        (folder / "a" / "b").touch()
        assert folder.parent == world.farm.spool_folder
    assert list(world.farm.spool_folder.iterdir()) == []


def test_what_a_crash_left_of_one_is_swept(world: World):
    with passing_folder(world.farm, "order") as folder:
        assert sweep_folders(world.farm.spool_folder, time.time() + 60) == 1
        assert not folder.exists()


def test_a_full_disk_is_an_outage_and_leaves_nothing(world: World):
    with small_disk(world.farm.spool_folder, "1m") as disk:
        with pytest.raises(StoreUnavailable, match="No space left"), passing_folder(world.farm, "order") as folder:
            (folder / "x").write_bytes(bytes(2**21))
        assert list(disk.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_outage(world: World):
    world.farm.spool_folder.rmdir()
    with pytest.raises(StoreUnavailable, match="make a folder"), passing_folder(world.farm, "order"):
        pass


def test_a_process_that_cannot_be_spawned_is_an_outage(world: World):
    with pytest.raises(StoreUnavailable, match="temporarily unavailable"), passing_folder(world.farm, "order"):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), InvalidSpec("bad"), OSError("no picture")])
def test_what_says_something_about_a_file_stays_what_it_is(world: World, error: Exception):
    with pytest.raises(type(error)) as raised, passing_folder(world.farm, "order"):
        raise error
    assert raised.value is error
    assert list(world.farm.spool_folder.iterdir()) == []


def test_an_order_of_a_file_that_is_not_there_says_so(world: World, tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        order_job(world.farm, world.account("ann"), Order("flame", {}, {"genome": tmp_path / "none"}))
