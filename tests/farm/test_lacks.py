"""Chores on a machine that lacks room, files, memory or processes: they wait, unless they are too much for any."""

import errno
import os
import subprocess
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.blobs.conftest import s3_endpoint, s3_url  # noqa: F401 -- fixtures
from tests.conftest import World, picture
from tests.farm.conftest import one_chore

from sheepfold.blobs.blobs import open_blobs
from sheepfold.blobs.spool import Digest
from sheepfold.farm import chores
from sheepfold.farm.browse import view_job
from sheepfold.farm.chores import (
    LEAST_FREE_BYTES,
    LONGEST_DELAY_S,
    do_chore,
    do_next_chore,
    put_off,
    take_chore,
)
from sheepfold.kinds.orphans import HumblePool
from sheepfold.model.errors import StoreUnavailable
from sheepfold.model.jobs import Job
from sheepfold.store import blobs as blob_rows
from sheepfold.store.chores import Chore, ChoreWhat


class Failing(Executor):
    """An executor of which everything raises the same."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def submit(self, *_: object, **__: object) -> Future[object]:
        future: Future[object] = Future()
        future.set_exception(self._error)
        return future


LACKS = [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN]


@pytest.mark.parametrize("number", LACKS)
def test_a_lack_of_room_files_memory_or_processes_is_no_chores_fault(world: World, number: int):
    one_chore(world)
    for _ in range(2 * world.farm.settings.chore_attempts):
        chore = take_chore(world.farm)
        assert chore is not None
        with pytest.raises(StoreUnavailable):
            do_chore(world.farm, Failing(OSError(number, os.strerror(number))), chore)
        put_off(world.farm, chore)
        world.clock.advance(LONGEST_DELAY_S)
    assert world.do_chores() == 1
    assert world.findings() == []


def test_whatever_fails_on_a_full_disk_is_no_chores_fault(world: World, monkeypatch: pytest.MonkeyPatch):
    one_chore(world)
    with monkeypatch.context() as patch:
        patch.setattr(chores, "LEAST_FREE_BYTES", 2**63)
        patch.setattr(chores, "AMPLE_BYTES", 2**63)
        for _ in range(2 * world.farm.settings.chore_attempts):
            chore = take_chore(world.farm)
            assert chore is not None
            with pytest.raises(StoreUnavailable, match="disk is full"):
                do_chore(world.farm, Failing(ValueError("Something went wrong.")), chore)
            put_off(world.farm, chore)
            world.clock.advance(LONGEST_DELAY_S)
    assert world.do_chores() == 1
    assert list(world.farm.spool_folder.iterdir()) == []
    assert world.findings() == []


def test_what_fills_a_disk_that_has_room_is_given_up_after_some_tries(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chores, "LEAST_FREE_BYTES", 2**63)
    monkeypatch.setattr(chores, "AMPLE_BYTES", 0)
    one_chore(world)
    for _ in range(world.farm.settings.chore_attempts):
        assert do_next_chore(world.farm, Failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
        world.clock.advance(LONGEST_DELAY_S)
    assert take_chore(world.farm) is None
    assert any("no room for what is made of it" in finding for finding in world.findings())


def with_film_of_far_pictures(world: World, request: pytest.FixtureRequest) -> tuple[Job, Chore, int]:
    """Return a job of three frames, two of which are alike, its film's chore, and the bytes of its pictures."""
    world.farm = replace(world.farm, blobs=open_blobs(request.getfixturevalue("s3_url"), world.farm.spool_folder))
    job = world.flame(frames=3)
    maker = world.maker("box")
    for seed in (0, 0, 1):
        world.send(world.held(maker), picture(seed, (64, 48)))
    digests = {row.digest for row in world.farm.db.read(lambda tx: blob_rows.pictures_of_job(tx, job.id))}
    assert len(digests) == 2
    film = next(chore for chore in iter(lambda: take_chore(world.farm), None) if chore.what is ChoreWhat.ASSEMBLE)
    return job, film, sum(world.farm.blobs.size(Digest(digest)) for digest in digests)


def test_a_film_of_more_pictures_in_a_far_store_than_any_disk_has_room_for_is_given_up_after_some_tries(
    world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    _, film, _ = with_film_of_far_pictures(world, request)
    monkeypatch.setattr(chores, "_local_pictures", None)
    monkeypatch.setattr(chores, "LEAST_FREE_BYTES", 2**62)
    for _ in range(world.farm.settings.chore_attempts):
        do_chore(world.farm, Failing(AssertionError()), film)
        world.clock.advance(LONGEST_DELAY_S)
        film = next((one for one in iter(lambda: take_chore(world.farm), None) if one.id == film.id), film)
    assert any("bytes of room to be put together" in finding for finding in world.findings())


def test_a_film_of_pictures_in_a_far_store_waits_for_room_before_it_copies_any(
    world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    job, film, needed = with_film_of_far_pictures(world, request)
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as executor:
        patch.setattr(chores, "_local_pictures", None)
        patch.setattr(chores, "_free_bytes", lambda _: LEAST_FREE_BYTES + needed - 1)
        with pytest.raises(StoreUnavailable, match=f"need {needed:,} bytes of room"):
            do_chore(world.farm, executor, film)
        put_off(world.farm, film)
    world.clock.advance(world.farm.settings.chore_term_s + LONGEST_DELAY_S)
    world.do_chores()
    assert view_job(world.farm, job.id).products


def test_a_film_for_which_a_small_disk_has_no_room_is_made_when_there_is_some(world: World, tmp_path: Path):
    """The real encoder on a real full disk, in a process of its own."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", small], check=False).returncode:
        pytest.skip("Only root may mount a small disk.")
    try:
        job = world.flame(frames=30, quality=1)
        world.make_all(world.maker("box"))
        farm = replace(world.farm, spool_folder=small)
        with HumblePool(1) as executor:
            tried = 0
            while view_job(farm, job.id).chores_waiting:
                chore = take_chore(farm)
                world.clock.advance(LONGEST_DELAY_S)
                if chore is not None:
                    try:
                        do_chore(farm, executor, chore)
                    except StoreUnavailable:
                        tried += 1
                        put_off(farm, chore)
                if tried == 2 * farm.settings.chore_attempts:
                    farm = world.farm
        assert tried == 2 * farm.settings.chore_attempts
    finally:
        subprocess.run(["umount", "--lazy", small], check=True)
    assert view_job(world.farm, job.id).products
    assert world.findings() == []
