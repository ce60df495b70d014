"""Chores: previews and films of real pictures, and what happens when one fails."""

import subprocess
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import pytest
from PIL import Image
from sqlalchemy import text
from tests.blobs.conftest import s3_endpoint, s3_url  # noqa: F401 -- fixtures
from tests.conftest import World
from tests.farm.conftest import one_chore, until

from sheepfold.blobs.blobs import Blob
from sheepfold.blobs.spool import Digest, Spooled
from sheepfold.farm import chores
from sheepfold.farm.browse import list_jobs, newest_event_id, open_preview, open_product, view_job
from sheepfold.farm.chores import (
    LONGEST_DELAY_S,
    MOST_DEATHS,
    PREVIEW_WIDTH,
    Overdue,
    are_chores_due,
    do_chore,
    do_next_chore,
    heed_clock,
    household,
    put_off,
    take_chore,
    take_up_again,
)
from sheepfold.farm.dispatch import held_lease, read_input
from sheepfold.farm.flock import PLAYER_FILM
from sheepfold.farm.repeating import render_again
from sheepfold.kinds.flame.flam3 import animate_args
from sheepfold.model.errors import Unavailable, UnknownBlob
from sheepfold.model.events import What
from sheepfold.model.jobs import JobId
from sheepfold.store import blobs as blob_rows
from sheepfold.store import chores as chore_rows
from sheepfold.store import events as event_rows
from sheepfold.store.chores import ChoreWhat


def rendered(world: World, folder: Path) -> None:
    """Render all open frames with Debian's flam3, as an old screensaver does."""
    box = world.maker("box")
    while (assignment := world.claim(box)) is not None:
        held = held_lease(world.farm, box, assignment.lease_id)
        genome = b"<get>" + b"".join(read_input(world.farm, held).chunks) + b"</get>"
        target = folder / "frame.png"
        environment = animate_args(assignment.job.spec, assignment.frame) | {"out": str(target), "verbose": "0"}
        subprocess.run(["/usr/bin/flam3-animate"], input=genome, env=environment, check=True, timeout=60)
        world.send(held, target.read_bytes())


def events(world: World) -> list[What]:
    return [event.what for event in world.farm.db.read(lambda tx: event_rows.since(tx, 0, 1000))]


def test_a_real_loop_becomes_previews_and_films(world: World, tmp_path: Path):
    job = world.flame(frames=4, quality=5)
    rendered(world, tmp_path)
    assert are_chores_due(world.farm)
    assert world.do_chores() == 5
    assert not are_chores_due(world.farm)
    view = view_job(world.farm, job.id)
    assert (view.chores_waiting, all(task.has_preview for task in view.tasks)) == (0, True)
    preview = tmp_path / "preview.jpg"
    preview.write_bytes(b"".join(open_preview(world.farm, view.tasks[0].id, PREVIEW_WIDTH).chunks))
    with Image.open(preview) as image:
        assert (image.format, image.width) == ("JPEG", 64)
    for name in ("film.mp4", PLAYER_FILM):
        _, film = open_product(world.farm, job.id, name)
        (tmp_path / name).write_bytes(b"".join(film.chunks))
        with av.open(tmp_path / name) as opened:
            frames = [(frame.width, frame.height) for frame in opened.decode(video=0)]
        assert frames == [(64, 48)] * 4
    assert {product.name for product in view.products} >= {"film.mp4", PLAYER_FILM}
    assert events(world).count(What.PREVIEW_MADE) == 4
    assert list(world.farm.spool_folder.iterdir()) == []
    assert world.findings() == []


def test_without_chores_the_house_has_nothing_to_do(world: World):
    world.order()
    with ThreadPoolExecutor(1) as executor:
        assert not do_next_chore(world.farm, executor)


def test_screenshots_become_a_sheet(world: World):
    job = world.order(frames=2)
    world.make_all(world.maker("box"))
    world.do_chores()
    media_type, sheet = open_product(world.farm, job.id, "sheet.jpg")
    assert media_type == "image/jpeg"
    assert sheet.size_bytes == len(b"".join(sheet.chunks))
    assert world.findings() == []


def test_a_preview_of_another_width_was_not_made(world: World):
    job = world.order()
    world.make_all(world.maker("box"))
    world.do_chores()
    with pytest.raises(UnknownBlob):
        open_preview(world.farm, view_job(world.farm, job.id).tasks[0].id, PREVIEW_WIDTH + 1)


def test_a_chore_that_fails_is_tried_again_later_and_given_up_in_the_end(world: World):
    job = world.order()
    world.make_all(world.maker("box"))
    task = world.task(view_job(world.farm, job.id).tasks[0].id)
    world.farm.blobs.delete(Digest(task.results[0].digest))
    tried = 0
    with ThreadPoolExecutor(1) as executor:
        while view_job(world.farm, job.id).chores_waiting:
            tried += do_next_chore(world.farm, executor)
            world.clock.advance(1)
            assert tried <= 2 * world.farm.settings.chore_attempts
    assert tried == 2 * world.farm.settings.chore_attempts
    assert events(world).count(What.CHORE_FAILED) == 2
    assert any("no chore was given up" in finding for finding in world.findings())
    failed = world.farm.db.read(chore_rows.failed)
    assert [chore.what for chore in failed] == ["preview", "assemble"]


def test_a_chore_that_is_tried_often_waits_a_minute_at_most(world: World):
    job = world.order()
    world.make_all(world.maker("box"))
    task = world.task(view_job(world.farm, job.id).tasks[0].id)
    world.farm.blobs.delete(Digest(task.results[0].digest))
    farm = replace(world.farm, settings=replace(world.farm.settings, chore_attempts=8))
    with ThreadPoolExecutor(1) as executor:
        while view_job(farm, job.id).chores_waiting:
            if not do_next_chore(farm, executor):
                world.clock.advance(LONGEST_DELAY_S)
                assert are_chores_due(farm)
    assert [chore.attempts for chore in farm.db.read(chore_rows.failed)] == [8, 8]


def test_a_house_that_died_at_a_chore_leaves_it_to_the_next(world: World):
    job = world.order()
    world.make_all(world.maker("box"))
    term_s = world.farm.settings.chore_term_s
    taken = [world.farm.db.write(lambda tx: chore_rows.take(tx, world.clock.now, term_s)) for _ in range(3)]
    assert [chore is not None for chore in taken] == [True, True, False]
    assert not are_chores_due(world.farm)
    world.clock.advance(term_s)
    assert world.do_chores() == 2
    assert view_job(world.farm, job.id).chores_waiting == 0


def test_a_chore_done_twice_is_as_good_as_once(world: World):
    job = world.order()
    world.make_all(world.maker("box"))
    world.do_chores()
    products = view_job(world.farm, job.id).products
    now = world.clock.now
    world.farm.db.write(lambda tx: chore_rows.add(tx, ChoreWhat.ASSEMBLE, job.id, None, now))
    assert world.do_chores() == 1
    assert view_job(world.farm, job.id).products == products
    assert world.findings() == []


def test_an_old_film_that_is_done_late_does_not_take_the_place_of_a_newer_one(world: World):
    job = world.order(frames=2)
    world.make_all(world.maker("box"))
    world.do_chores()
    ann, films = world.account("ann"), []
    with SlowPool() as executor:  # of another house
        world.farm.db.write(lambda tx: chore_rows.add(tx, ChoreWhat.ASSEMBLE, job.id, None, world.clock.now))
        doing = threading.Thread(target=do_next_chore, args=[world.farm, executor])
        doing.start()
        assert executor.asked.wait(60)  # what is made of it has been read by then
        render_again(world.farm, ann, job.id, 0)
        world.make_all(world.maker("other"), first=50)
        assert world.do_chores() == 2
        films.append(products(world, job.id))
        executor.go.set()
        doing.join(60)
    assert products(world, job.id) == films[0]
    assert view_job(world.farm, job.id).chores_waiting == 0
    assert world.findings() == []


def test_an_old_preview_that_is_done_late_does_not_take_the_place_of_a_newer_one(world: World):
    job = world.order()
    world.make_all(world.maker("box"))
    with SlowPool() as executor:  # of another house
        doing = threading.Thread(target=do_next_chore, args=[world.farm, executor])
        doing.start()
        assert executor.asked.wait(60)  # what is made of it has been read by then
        render_again(world.farm, world.account("ann"), job.id, 0)
        world.make_all(world.maker("other"), first=50)
        world.do_chores()
        (task,) = view_job(world.farm, job.id).tasks
        made = b"".join(open_preview(world.farm, task.id, PREVIEW_WIDTH).chunks)
        executor.go.set()
        doing.join(60)
    assert b"".join(open_preview(world.farm, task.id, PREVIEW_WIDTH).chunks) == made
    assert view_job(world.farm, job.id).chores_waiting == 0
    assert world.findings() == []


def products(world: World, job_id: JobId) -> set[str]:
    return {row.digest for row in world.farm.db.read(lambda tx: blob_rows.products_of(tx, job_id))}


class BrokenPool(Executor):
    """An executor whose processes have died."""

    def submit(self, *_: object, **__: object) -> Future[object]:
        raise BrokenExecutor("A process in the pool was ended abruptly.")


def test_a_broken_executor_is_told_of_and_the_chore_stays(world: World):
    job = world.order()
    world.make_all(world.maker("box"))
    with pytest.raises(BrokenExecutor):
        do_next_chore(world.farm, BrokenPool())
    assert view_job(world.farm, job.id).chores_waiting == 2
    world.clock.advance(60)
    assert world.do_chores() == 2
    assert world.findings() == []


class Silent(Executor):
    """An executor in whose stead the blobs do not answer."""

    def submit(self, *_: object, **__: object) -> Future[object]:
        raise Unavailable("The blobs do not answer.")


def dies_at(world: World) -> chore_rows.Chore | None:
    """Take the next chore and die of it, then start anew."""
    farm = world.farm
    found = farm.db.write(lambda tx: chore_rows.take(tx, world.clock.now, farm.settings.chore_term_s, farm.house))
    take_up_again(farm)
    return found


def test_a_chore_that_takes_its_house_down_does_so_seldom_and_is_given_up(world: World):
    poison, began_at, times = one_chore(world), world.clock.now, []
    while len(times) < MOST_DEATHS:
        if dies_at(world) is None:
            world.clock.advance(10)
        else:
            times.append(world.clock.now - began_at)
    assert times[:3] == [0, 0, 20]
    waits = [later - before for before, later in pairwise(times)]
    wanted = [min(LONGEST_DELAY_S, 20 * 2**n) for n in range(len(waits) - 1)]
    assert all(least <= wait < least + 20 for least, wait in zip(wanted, waits[1:], strict=True))
    world.clock.advance(3600)
    with ThreadPoolExecutor(1) as executor:
        assert do_next_chore(world.farm, executor)
    assert [chore.id for chore in world.farm.db.read(chore_rows.failed)] == [poison]
    assert any("died" in finding for finding in world.findings())


def test_a_chore_whose_process_is_killed_from_without_is_made_all_the_same(world: World):
    one_chore(world)
    for _ in range(world.farm.settings.chore_attempts + 2):
        with pytest.raises(BrokenExecutor):
            do_next_chore(world.farm, BrokenPool())
        world.clock.advance(3600)
    assert world.do_chores() == 1
    assert world.findings() == []


def test_blobs_that_do_not_answer_are_no_chores_fault_and_it_waits_ever_longer(world: World):
    one_chore(world)
    began_at, times = world.clock.now, []
    while len(times) < 3 * MOST_DEATHS:
        chore = take_chore(world.farm)
        if chore is not None:
            times.append(world.clock.now - began_at)
            with pytest.raises(Unavailable):
                do_chore(world.farm, Silent(), chore)
            put_off(world.farm, chore)
        world.clock.advance(1)
    assert times[:7] == [0, 1, 2, 4, 8, 16, 32]
    assert {later - before for before, later in pairwise(times[7:])} == {LONGEST_DELAY_S}
    world.clock.advance(LONGEST_DELAY_S)
    assert world.do_chores() == 1
    assert world.findings() == []


def test_a_chore_that_another_house_has_taken_meanwhile_is_left_to_it(world: World):
    one_chore(world)
    farm = world.farm
    ours = take_chore(farm)
    world.clock.advance(farm.settings.chore_term_s)
    theirs = farm.db.write(lambda tx: chore_rows.take(tx, world.clock.now, 60, "another house"))
    assert ours is not None
    assert theirs is not None
    put_off(farm, ours)
    assert [chore.id for chore in farm.db.read(lambda tx: chore_rows.taken_by(tx, "another house"))] == [ours.id]


class Hanging(ThreadPoolExecutor):
    """An executor that does nothing until it may."""

    def __init__(self) -> None:
        super().__init__(1)
        self.go = threading.Event()

    def submit(self, *_: object, **__: object) -> Future[object]:
        return super().submit(self.go.wait, 60)


def test_a_process_that_hangs_counts_as_a_try_and_is_told_of(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chores, "BEGINNING_S", 1)
    monkeypatch.setattr(chores, "PICTURE_S", 0)
    one_chore(world)
    tries = world.farm.settings.chore_attempts
    with Hanging() as executor:
        for _ in range(tries):
            with pytest.raises(Overdue):
                do_next_chore(world.farm, executor)
            world.clock.advance(LONGEST_DELAY_S)
        executor.go.set()
    assert [chore.attempts for chore in world.farm.db.read(chore_rows.failed)] == [tries]
    assert any("did not end within 1 seconds" in finding for finding in world.findings())


@pytest.mark.parametrize("deaths", [1, 3])
def test_a_chore_whose_house_died_gets_its_turn_however_many_others_come(world: World, deaths: int):
    lost = one_chore(world)
    job = list_jobs(world.farm)[0].id
    now = world.clock.now

    def queue(tx):
        for _ in range(2):
            chore_rows.add(tx, ChoreWhat.ASSEMBLE, job, None, world.clock.now)

    while deaths:
        if dies_at(world) is None:
            world.clock.advance(1)
        else:
            deaths -= 1
    world.farm.db.write(queue)
    for _ in range(200):  # two come with each that is done
        taken = world.farm.db.write(lambda tx: chore_rows.take(tx, world.clock.now, 60, world.farm.house))
        world.farm.db.write(lambda tx, chore=taken: chore_rows.end(tx, chore.id, failed=False))
        if taken.id == lost:
            break
        world.clock.advance(1)
        world.farm.db.write(queue)
    assert taken.id == lost
    assert world.clock.now - now < 200


def test_chores_of_a_day_ahead_are_done_when_the_clock_is_right_again(world: World):
    world.order()
    world.clock.advance(86_400)
    world.make_all(world.maker("box"))
    world.clock.advance(-86_400)
    assert not are_chores_due(world.farm)
    heed_clock(world.farm)
    assert world.do_chores() == 2
    heed_clock(world.farm)
    assert world.findings() == []


class SlowPool(ThreadPoolExecutor):
    """An executor that waits until it may go on."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked, self.go = threading.Event(), threading.Event()

    def submit(self, deed, *words: object) -> Future[object]:
        self.asked.set()
        return super().submit(lambda: self.go.wait(60) and deed(*words))


def test_a_chore_that_takes_long_stays_its_houses_own(world: World):
    world.order()
    world.make_all(world.maker("box"))
    farm = replace(world.farm, settings=replace(world.farm.settings, chore_term_s=1))
    world.farm.db.write(lambda tx: chore_rows.take(tx, world.clock.now, 3600))  # the preview is somebody else's
    with SlowPool() as executor:
        doing = threading.Thread(target=do_next_chore, args=[farm, executor])
        doing.start()
        while are_chores_due(farm):
            pass
        world.clock.advance(1)
        while are_chores_due(farm):  # until the house has shown a sign of life
            pass
        executor.go.set()
        doing.join(60)
    assert not doing.is_alive()
    assert list_jobs(farm)[0].state == "done"
    assert newest_event_id(farm) > 0


class Far:
    """Blobs in a far store: each comes slowly, and one takes long to keep, longer than a chore's term of two seconds.

    In that time a chore goes on only where its house shows signs of life, however late they come by our own clock.
    """

    def __init__(self, world: World, chore_id: int) -> None:
        self._near, self._world, self._chore_id = world.farm.blobs, world, chore_id

    def __getattr__(self, name: str) -> object:
        return getattr(self._near, name)

    def local_path(self, digest: Digest, folder: Path) -> Path:
        self._pass()
        return self._near.local_path(digest, folder)

    def keep(self, spooled: Spooled) -> Blob:
        for _ in range(3):
            self._pass()
        return self._near.keep(spooled)

    def _pass(self) -> None:
        now = self._world.clock.advance(1)
        until(lambda: self._due_at() == now + 2)

    def _due_at(self) -> int:
        asked = text("SELECT due_at FROM chores WHERE id = :id")
        return self._world.farm.db.read(lambda tx: tx.execute(asked, {"id": self._chore_id}).scalar_one())


def test_a_chore_whose_pictures_come_from_afar_stays_its_houses_own(world: World):
    job = world.order(frames=3)
    world.make_all(world.maker("box"))
    farm = replace(world.farm, settings=replace(world.farm.settings, chore_term_s=2))
    for _ in range(3):  # the previews are somebody else's
        farm.db.write(lambda tx: chore_rows.take(tx, world.clock.now, 3600))
    chore, seen = take_chore(farm), []
    farm = replace(farm, blobs=Far(world, chore.id))
    with ThreadPoolExecutor(1) as executor:
        doing = threading.Thread(target=do_chore, args=[farm, executor, chore])
        doing.start()
        while doing.is_alive():
            seen.append(are_chores_due(farm))
            time.sleep(0.1)
    assert view_job(farm, job.id).products
    assert not any(seen)


def test_a_restarted_house_takes_over_what_its_dead_predecessor_had_taken(world: World):
    world.order()
    world.make_all(world.maker("box"))
    farm = world.farm
    taken = farm.db.write(lambda tx: chore_rows.take(tx, world.clock.now, 60, farm.house))
    other = farm.db.write(lambda tx: chore_rows.take(tx, world.clock.now, 60, "another house"))
    assert taken is not None
    assert other is not None
    assert not are_chores_due(farm)
    with household(farm) as is_alone:
        assert is_alone
        assert take_up_again(farm) == 1
        assert farm.db.write(lambda tx: chore_rows.take(tx, world.clock.now, 60)).id == taken.id
        assert not are_chores_due(farm)


def test_a_second_house_of_a_folder_knows_that_it_is_not_alone(world: World):
    with household(world.farm) as is_alone, household(world.farm) as is_second_alone:
        assert (is_alone, is_second_alone) == (True, False)
    with household(world.farm) as is_alone:
        assert is_alone
