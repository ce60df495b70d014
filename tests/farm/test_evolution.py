"""A flock that lives by itself, with real genomes: it breeds, renders, joins, and lets go of what nobody likes."""

import errno
import os
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.conftest import GENOMES, World

from sheepfold.farm import evolution as deeds
from sheepfold.farm.accounts import add_account, add_key, hash_password
from sheepfold.farm.browse import list_jobs
from sheepfold.farm.evolution import Evolution
from sheepfold.farm.flock import list_flock, vote
from sheepfold.farm.orders import cancel_job
from sheepfold.farm.upkeep import House
from sheepfold.kinds import handwork
from sheepfold.kinds.orphans import HumblePool
from sheepfold.model.accounts import SHEPHERD, Role
from sheepfold.model.errors import InvalidName, InvalidSpec
from sheepfold.model.flock import SheepId
from sheepfold.model.jobs import Job
from sheepfold.store import accounts as account_rows
from sheepfold.store import flock as flock_rows
from sheepfold.store.database import Tx

SMALL = {"flock_size": (64, 48), "flock_frames": 2, "flock_quality": 1.0}


@pytest.fixture
def herd(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A farm that wants two loops, whose genomes take no time to breed: they are the tests' own."""
    names = iter(("r1", "r2", "r3", "s11", "s14"))
    monkeypatch.setattr(handwork, "breed", lambda *_: GENOMES / f"{next(names)}.flam3")
    settings = replace(world.farm.settings, flock_loops=2, flock_edges=1, **SMALL)
    tokens = (f"{number:032x}" for number in count())
    world.farm = replace(world.farm, settings=settings, token=lambda: next(tokens))
    return world


def lived(world: World, steps: int) -> list[str]:
    """Let a flock take steps, all that it orders being rendered; returns the titles of its jobs."""
    evolution = Evolution(world.farm)
    with ThreadPoolExecutor(1) as executor:
        for _ in range(steps):
            evolution.step(executor)
            world.make_all(world.maker("box"))
            world.do_chores()
            world.clock.advance(1)
            until_born(executor)
    return [job.title for job in reversed(list_jobs(world.farm, 100))]


def until_born(executor: ThreadPoolExecutor) -> None:
    """Wait until whatever is bred in an executor's one thread is there."""
    executor.submit(bool).result(60)


def test_a_farm_breeds_nothing_unless_its_owner_wants_it(world: World):
    with ThreadPoolExecutor(1) as executor:
        assert not Evolution(world.farm).step(executor)
    assert list_jobs(world.farm, 10) == []


def test_loops_are_bred_joined_and_let_go(herd: World):
    titles = lived(herd, 12)
    assert titles[0] == "A stranger"
    assert "From sheep 1 to 2" in titles
    flock = list_flock(herd.farm)
    loops = [one.sheep for one in flock.sheep if one.sheep.is_loop]
    numbers = {loop.id.number for loop in loops}
    assert 2 <= len(loops) <= 3
    assert numbers - {1, 2}
    assert all({one.sheep.first, one.sheep.last} <= numbers for one in flock.sheep)
    assert flock.size == SMALL["flock_size"]
    assert herd.findings() == []


def test_what_people_like_stays(herd: World):
    lived(herd, 2)
    liked = list_flock(herd.farm).sheep[0].sheep.id.number
    vote(herd.farm, liked, "ann", 1)
    lived(herd, 14)
    assert liked in {one.sheep.id.number for one in list_flock(herd.farm).sheep}


def test_what_people_order_keeps_no_flock_from_breeding(herd: World):
    for _ in range(2):
        herd.flame(parts=2)
    evolution = Evolution(herd.farm)
    with ThreadPoolExecutor(1) as executor:
        for _ in range(10):
            evolution.step(executor)
            until_born(executor)
    ours = [job for job in list_jobs(herd.farm, 10) if owner_of(herd, job) == SHEPHERD]
    assert [job.title for job in ours] == ["A stranger", "A stranger"]


def test_an_edge_that_was_canceled_is_ordered_again(herd: World):
    for genome in ("s11", "s14"):
        herd.flame(genome)
    herd.make_all(herd.maker("box"))
    herd.do_chores()
    evolution = Evolution(herd.farm)
    with ThreadPoolExecutor(1) as executor:
        for _ in range(2):
            evolution.step(executor)
        back = list_jobs(herd.farm, 1)[0]
        cancel_job(herd.farm, herd.account("owner", Role.OWNER), back.id)
        evolution.step(executor)
    titles = [job.title for job in list_jobs(herd.farm, 10)]
    assert titles[:3] == ["From sheep 2 to 1", "From sheep 2 to 1", "From sheep 1 to 2"]


def test_two_loops_of_one_genome_are_two_keyframes(herd: World):
    herd.farm = replace(herd.farm, settings=replace(herd.farm.settings, flock_loops=3))
    for genome in ("s11", "s11", "s14"):
        herd.flame(genome)
    titles = lived(herd, 20)
    assert children(titles)
    sheep = herd.farm.db.read(lambda tx: tx.execute(text("SELECT number, first, last FROM sheep")).all())
    edges = [(one.first, one.last) for one in sheep if one.number not in {one.first, one.last}]
    assert len(edges) == len(set(edges)) > 2
    assert all(first != last for first, last in edges)


def test_children_know_their_parents_and_belong_to_the_flock(herd: World):
    lived(herd, 8)
    jobs = {job.id: job for job in list_jobs(herd.farm, 100)}
    child = next(job for job in jobs.values() if job.title.startswith("Child of sheep"))
    parents = herd.farm.db.read(lambda tx: flock_rows.parents_of(tx, child.id))
    told = child.title.removeprefix("Child of sheep ").split(" and ")
    assert sorted(told) == [str(parent.id.number) for parent in parents]
    for parent in parents:
        children = herd.farm.db.read(lambda tx, of=parent.job_id: flock_rows.children_of(tx, of))
        assert child.id in {one.job_id for one in children}
    shepherd = herd.farm.db.read(lambda tx: account_rows.account_named(tx, SHEPHERD))
    assert {shepherd.id} == {job.account_id for job in jobs.values()}
    assert {job.terms.priority for job in jobs.values()} == {-100}


def test_after_a_birth_that_failed_others_are_tried(herd: World, monkeypatch: pytest.MonkeyPatch):
    tried: list[int] = []

    def breed(_: str, parents: list[Path], *__: object) -> Path:
        tried.append(len(parents))
        if parents:
            raise InvalidSpec("Of these nothing comes.")
        return GENOMES / "r3.flam3"

    lived(herd, 6)
    monkeypatch.setattr(handwork, "breed", breed)
    herd.farm = replace(herd.farm, settings=replace(herd.farm.settings, flock_loops=9, flock_edges=0))
    evolution, ends_at = Evolution(herd.farm), time.monotonic() + 60
    with ThreadPoolExecutor(1) as executor:
        while 0 not in tried and time.monotonic() < ends_at:
            with suppress(InvalidSpec):
                evolution.step(executor)
            time.sleep(0.01)
    loops = [one for one in list_flock(herd.farm).sheep if one.sheep.is_loop]
    assert tried[-1] == 0
    assert 0 < sum(tried) <= len(loops)


def stranger(*_: object) -> Path:
    return GENOMES / "r1.flam3"


class Broken(Executor):
    """An executor whose processes have died."""

    def submit(self, *_: object, **__: object) -> Future[object]:
        raise BrokenExecutor("A process in the pool was ended abruptly.")


def breed_a_stranger(herd: World, hire: Callable[[], Executor]) -> None:
    """Have a house that hires so breed until there is a job, which is a stranger's."""
    house, ends_at = House(herd.farm, hire), time.monotonic() + 60
    house.start()
    try:
        while not list_jobs(herd.farm, 1) and time.monotonic() < ends_at:
            herd.clock.advance(60)
            time.sleep(0.1)
    finally:
        house.stop()
    assert [job.title for job in list_jobs(herd.farm, 1)] == ["A stranger"]


def test_a_birth_that_never_ends_is_given_up_and_the_house_goes_on(herd: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(deeds, "BIRTH_S", 1.0)
    monkeypatch.setattr(handwork, "breed", stranger)
    hired: list[Executor] = []

    def hire() -> Executor:
        hired.append(ThreadPoolExecutor(1) if hired else HumblePool(1))
        if len(hired) == 1:
            hired[0].submit(time.sleep, 3600)  # the birth waits behind this
        return hired[-1]

    breed_a_stranger(herd, hire)
    with pytest.raises(RuntimeError):
        hired[0].submit(time.sleep, 0)


def test_a_house_that_could_not_hire_anew_breeds_once_it_can(herd: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handwork, "breed", stranger)
    hired: list[Executor | None] = []

    def hire() -> Executor:
        if len(hired) == 2:  # after the house's own and its hand's
            hired.append(None)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        hired.append(ThreadPoolExecutor(1) if hired else Broken())
        return hired[-1]

    breed_a_stranger(herd, hire)


def test_nobody_chooses_the_shepherds_name(world: World):
    with pytest.raises(InvalidName, match="of its flock"):
        add_account(world.farm, " Flock", Role.VOLUNTEER, "")


def test_where_somebody_has_its_name_from_before_the_shepherd_takes_another(herd: World):
    def take(tx: Tx) -> None:
        account_rows.add_account(tx, SHEPHERD, Role.ARTIST, hash_password("twelve monkeys"), 1)
        account_rows.add_account(tx, "flock-2", Role.ARTIST, "", 1)

    herd.farm.db.write(take)
    add_key(herd.farm, "flock-2", "box")
    lived(herd, 3)
    assert {owner_of(herd, job) for job in list_jobs(herd.farm, 10)} == {"flock-3"}


def owner_of(world: World, job: Job) -> str:
    return world.farm.db.read(lambda tx: account_rows.account_of(tx, job.account_id)).name


def test_a_child_is_ordered_with_its_parents_or_not_at_all(herd: World):
    herd.farm = replace(herd.farm, settings=replace(herd.farm.settings, flock_edges=0))
    born = children(lived(herd, 4))
    herd.farm.db.write(lambda tx: tx.execute(text("ALTER TABLE parents RENAME TO forgotten")))
    with pytest.raises(Exception, match="parents"):
        lived(herd, 9)
    assert children([job.title for job in list_jobs(herd.farm, 100)]) == born


def test_a_full_generation_is_followed_by_strangers(herd: World):
    lived(herd, 4)
    herd.farm.db.write(lambda tx: tx.execute(text("UPDATE sheep SET number = 99999 WHERE number = 2")))
    titles = lived(herd, 2)
    assert titles[-1] == "A stranger"
    newest = list_flock(herd.farm)
    assert [one.sheep.id for one in newest.sheep] == [SheepId(2, 1)]


def children(titles: list[str]) -> int:
    """Return how many jobs are children of sheep."""
    return sum(title.startswith("Child of sheep") for title in titles)


@pytest.mark.slow
def test_a_stranger_is_bred_by_the_engine_itself(world: World):
    world.farm = replace(world.farm, settings=replace(world.farm.settings, flock_loops=1, **SMALL))
    evolution, ends_at = Evolution(world.farm), time.monotonic() + 240
    with ThreadPoolExecutor(1) as executor:
        while not list_jobs(world.farm, 1) and time.monotonic() < ends_at:
            evolution.step(executor)
            time.sleep(0.1)
    world.make_all(world.maker("box"))
    world.do_chores()
    assert len(list_flock(world.farm).sheep) == 1
