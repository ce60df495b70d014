"""The flock as players see it."""

import pytest
from sqlalchemy import text
from tests.conftest import GENOMES, World

from sheepfold.farm.browse import newest_event_id, open_product
from sheepfold.farm.flock import (
    PLAYER_FILM,
    job_of_sheep,
    list_flock,
    living_generation,
    open_film,
    read_genomes,
    retire_sheep,
    vote,
    vote_as,
    vote_from,
)
from sheepfold.farm.voices import MOST_VOICES
from sheepfold.model.accounts import Role
from sheepfold.model.errors import BadInput, Forbidden, InvalidSpec, UnknownBlob, UnknownSheep
from sheepfold.model.events import What
from sheepfold.model.flock import SheepId
from sheepfold.store import events as event_rows
from sheepfold.store import flock as flock_rows


@pytest.fixture
def flock(world: World) -> World:
    """A farm with two loops that have their films."""
    for genome in ("r1", "r2"):
        world.flame(genome)
    world.make_all(world.maker("box"))
    world.do_chores()
    return world


def test_an_empty_flock_has_a_generation_and_a_size(world: World):
    flock = list_flock(world.farm)
    assert (flock.generation, flock.size, flock.sheep) == (1, world.farm.settings.flock_size, ())
    assert living_generation(world.farm) == 1


def test_a_sheep_is_listed_once_it_has_its_film_and_with_its_exact_size(flock: World):
    flock.flame("r3")
    listed = list_flock(flock.farm)
    assert [filmed.sheep.id for filmed in listed.sheep] == [SheepId(1, 1), SheepId(1, 2)]
    assert listed.size == (64, 48)
    for filmed in listed.sheep:
        media_type, film = open_film(flock.farm, filmed.sheep.id)
        body = b"".join(film.chunks)
        assert len(body) == film.size_bytes == filmed.size_bytes
        assert (media_type, body[:4]) == ("video/x-msvideo", b"RIFF")
        assert filmed.made_at == flock.clock.now


def test_a_films_name_chooses_the_film(flock: World):
    sheep_id = SheepId(1, 1)
    job = job_of_sheep(flock.farm, sheep_id)
    film, product = open_film(flock.farm, sheep_id, "film.mp4"), open_product(flock.farm, job.id, "film.mp4")
    assert film[1].digest == product[1].digest != open_film(flock.farm, sheep_id, PLAYER_FILM)[1].digest
    with pytest.raises(UnknownBlob):
        open_film(flock.farm, sheep_id, "film.wmv")


def test_a_sheep_without_its_film_is_not_open_yet(world: World):
    world.flame("r1")
    with pytest.raises(UnknownBlob, match="Sheep 1 of generation 1"):
        open_film(world.farm, SheepId(1, 1))


def test_a_voters_newer_vote_replaces_the_older(flock: World):
    for voter, value in (("ann", 1), ("bob", 1), ("bob", -1), ("cid", -1), ("ann", 1)):
        vote(flock.farm, 1, voter, value)
    assert [filmed.sheep.rating for filmed in list_flock(flock.farm).sheep] == [-1, 0]


def test_an_account_s_vote_replaces_one_by_its_name_as_older_servers_cast_it(flock: World):
    for value in (1, -1):
        vote(flock.farm, 1, "ann", 1)
        vote_as(flock.farm, flock.account("ann"), 1, value)
        assert list_flock(flock.farm).sheep[0].sheep.rating == value
    assert votes_told(flock) == 4


def votes_told(flock: World) -> int:
    query = text("SELECT count(*) FROM events WHERE what = 'vote cast'")
    return int(flock.farm.db.read(lambda tx: tx.execute(query).scalar_one()))


def test_the_same_vote_again_is_no_other_one(flock: World):
    for _ in range(3):
        vote(flock.farm, 1, "ann", 1)
        assert vote_from(flock.farm, "192.0.2.1", 1, "AB", -1)
    assert votes_told(flock) == 2
    vote(flock.farm, 1, "ann", -1)
    assert votes_told(flock) == 3
    assert list_flock(flock.farm).sheep[0].sheep.rating == -2


def test_who_makes_up_players_has_as_many_voices_as_a_class_and_no_more(flock: World):
    farm = flock.farm
    counted = [vote_from(farm, "192.0.2.1", 1, f"{uid:X}", -1) for uid in range(100)]
    assert counted == [True] * MOST_VOICES + [False] * (100 - MOST_VOICES)
    assert list_flock(farm).sheep[0].sheep.rating == -MOST_VOICES
    assert votes_told(flock) == MOST_VOICES
    assert vote_from(farm, "192.0.2.1", 1, "0", -1)
    assert vote_from(farm, "192.0.2.1", 2, "0", 1)
    assert vote_from(farm, "192.0.2.2", 1, "FF", 1)
    vote(farm, 1, "account 1", 1)
    assert [one.sheep.rating for one in list_flock(farm).sheep] == [2 - MOST_VOICES, 1]


@pytest.mark.parametrize("value", [0, 2, -2, 10**30])
def test_a_vote_is_up_or_down(flock: World, value: int):
    before = newest_event_id(flock.farm)
    with pytest.raises(BadInput):
        vote(flock.farm, 1, "ann", value)
    assert newest_event_id(flock.farm) == before


@pytest.mark.parametrize(("number", "generation"), [(3, None), (0, None), (1, 2)])
def test_a_vote_needs_its_sheep(flock: World, number: int, generation: int | None):
    with pytest.raises(UnknownSheep):
        vote(flock.farm, number, "ann", 1, generation)
    if generation is None:
        with pytest.raises(UnknownSheep):
            vote_from(flock.farm, "192.0.2.1", number, "AB", 1)


def test_a_loop_has_one_genome_and_an_unknown_sheep_none(flock: World):
    assert read_genomes(flock.farm, SheepId(1, 2)) == [(GENOMES / "r2.flam3").read_bytes()]
    for ask in (read_genomes, job_of_sheep, open_film):
        with pytest.raises(UnknownSheep):
            ask(flock.farm, SheepId(1, 9))


def test_an_edge_leads_from_one_genome_to_another(flock: World):
    with pytest.raises(InvalidSpec, match="one and the same"):
        flock.flame("r1", second="r1", shape="edge")
    with pytest.raises(UnknownSheep, match="order the loops of both genomes first"):
        flock.flame("r1", second="r3", shape="edge")
    flock.flame("r1", second="r2", shape="edge")
    edge = flock.farm.db.read(lambda tx: flock_rows.sheep_of(tx, SheepId(1, 3)))
    assert (edge.first, edge.last) == (1, 2)


def test_an_edge_belongs_to_the_generation_of_its_loops(flock: World):
    flock.farm.db.write(lambda tx: tx.execute(text("UPDATE sheep SET number = 99999 WHERE number = 2")))
    with pytest.raises(UnknownSheep, match="order the loops of both genomes first"):
        flock.flame("r1", second="r2", shape="edge")


def joined(flock: World) -> None:
    """Order an edge each way between the two loops, and have their films made."""
    for pair in (("r1", "r2"), ("r2", "r1")):
        flock.flame(pair[0], "bob", pair[1], shape="edge")
    flock.make_all(flock.maker("box"))
    flock.do_chores()


def test_a_sheep_leaves_the_flock_by_its_artist_or_the_owner(flock: World):
    joined(flock)
    ann, bob, owner = flock.account("ann"), flock.account("bob"), flock.account("owner", Role.OWNER)
    with pytest.raises(Forbidden):
        retire_sheep(flock.farm, bob, SheepId(1, 2))
    retire_sheep(flock.farm, bob, SheepId(1, 4))
    assert numbers(flock) == [1, 2, 3]
    retire_sheep(flock.farm, ann, SheepId(1, 2))
    assert numbers(flock) == [1]
    retire_sheep(flock.farm, ann, SheepId(1, 2))
    retire_sheep(flock.farm, owner, SheepId(1, 1))
    assert numbers(flock) == []
    with pytest.raises(UnknownSheep):
        retire_sheep(flock.farm, owner, SheepId(1, 9))
    job = job_of_sheep(flock.farm, SheepId(1, 2))
    assert len(flock.farm.db.read(lambda tx: event_rows.of_job(tx, job.id, What.SHEEP_RETIRED))) == 1
    assert open_film(flock.farm, SheepId(1, 2))[1].size_bytes > 0
    assert flock.findings() == []


def numbers(flock: World) -> list[int]:
    return [one.sheep.id.number for one in list_flock(flock.farm).sheep]


def test_a_full_generation_opens_the_next_and_the_old_one_stays_where_it_was(flock: World):
    flock.farm.db.write(lambda tx: tx.execute(text("UPDATE sheep SET number = 99999 WHERE number = 2")))
    job = flock.flame("r3")
    assert job_of_sheep(flock.farm, SheepId(2, 1)) == job
    assert [one.sheep.id for one in list_flock(flock.farm).sheep] == [SheepId(1, 1), SheepId(1, 99_999)]
    flock.make_all(flock.maker("box"))
    flock.do_chores()
    assert living_generation(flock.farm) == 2
    assert [one.sheep.id for one in list_flock(flock.farm).sheep] == [SheepId(2, 1)]
    assert open_film(flock.farm, SheepId(1, 99_999))[1].size_bytes > 0
    vote(flock.farm, 1, "ann", 1, generation=1)
