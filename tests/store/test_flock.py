"""Rows of the flock."""

import pytest
from tests.conftest import in_threads
from tests.store.conftest import NOW, Rows

from sheepfold.model.errors import UnknownSheep
from sheepfold.model.flock import Sheep, SheepId
from sheepfold.store import blobs, flock


def loop(rows: Rows, genome: str = "") -> Sheep:
    job_id = rows.job()
    if genome:
        rows.run("INSERT INTO job_inputs (job_id, name, digest) VALUES (:id, 'genome', :digest)", id=job_id,
                 digest=rows.blob(genome))  # fmt: skip
    return rows.db.write(lambda tx: flock.add_loop(tx, job_id))


def test_loops_are_numbered_one_after_the_other(rows: Rows):
    assert rows.db.read(flock.newest_id) is None
    first, second = loop(rows), loop(rows)
    assert (first.id, first.first, first.last) == (SheepId(1, 1), 1, 1)
    assert second.id == SheepId(1, 2) == rows.db.read(flock.newest_id)


def test_an_edge_joins_two_numbers(rows: Rows):
    loop(rows)
    loop(rows)
    job_id = rows.job()
    edge = rows.db.write(lambda tx: flock.add_edge(tx, job_id, 2, 1))
    assert edge == Sheep(SheepId(1, 3), job_id, 2, 1)
    assert rows.db.read(lambda tx: flock.find_sheep_of_job(tx, job_id)) == edge


def test_a_full_generation_opens_the_next(rows: Rows):
    loop(rows)
    rows.run("UPDATE sheep SET number = 99998")
    assert [loop(rows).id for _ in range(2)] == [SheepId(1, 99_999), SheepId(2, 1)]


def test_sheep_that_are_born_at_once_share_no_number(rows: Rows):
    job_ids = [rows.job() for _ in range(6)]
    born = in_threads(6, lambda n: rows.db.write(lambda tx: flock.add_loop(tx, job_ids[n])))
    assert sorted(sheep.id.number for sheep in born) == [1, 2, 3, 4, 5, 6]


GENOME = "a" * 64


def found(rows: Rows, genome: str = GENOME, generation: int = 1) -> Sheep | None:
    return rows.db.read(lambda tx: flock.find_loop_of(tx, generation, genome))


def test_the_newest_loop_of_a_genome_is_found(rows: Rows):
    loop(rows, GENOME)
    newest = loop(rows, GENOME)
    loop(rows, "b" * 64)
    assert found(rows) == newest
    assert found(rows, "c" * 64) is None
    assert found(rows, generation=2) is None


def test_edges_at_a_loop_are_those_that_touch_it_and_have_not_retired(rows: Rows):
    for _ in range(3):
        loop(rows)
    ids = [rows.job() for _ in range(4)]
    coming, leaving, _, retired = (rows.db.write(lambda tx, n=n, pair=pair: flock.add_edge(tx, ids[n], *pair))
                                   for n, pair in enumerate([(1, 2), (2, 3), (3, 1), (2, 1)]))
    rows.db.write(lambda tx: flock.retire(tx, retired.job_id, NOW))
    assert rows.db.read(lambda tx: flock.edges_at(tx, SheepId(1, 2))) == [coming, leaving]
    assert rows.db.read(lambda tx: flock.edges_at(tx, coming.id)) == []


def test_of_a_genomes_loops_a_living_one_is_found_before_those_that_are_none(rows: Rows):
    first, failed, retired = (loop(rows, GENOME) for _ in range(3))
    rows.run("UPDATE jobs SET state = 'failed' WHERE id = :id", id=failed.job_id)
    rows.db.write(lambda tx: flock.retire(tx, retired.job_id, NOW))
    assert found(rows) == first
    rows.db.write(lambda tx: flock.retire(tx, first.job_id, NOW))
    assert found(rows) == retired


def test_an_edge_that_ends_where_it_began_is_no_loop_of_its_genome(rows: Rows):
    keyframe, edge = loop(rows, GENOME), loop(rows, GENOME)
    rows.run("UPDATE sheep SET first = 1, last = 1 WHERE number = :number", number=edge.id.number)
    assert found(rows) == keyframe


def test_a_sheep_that_is_not_there_is_named(rows: Rows):
    with pytest.raises(UnknownSheep, match="no sheep 7 in generation 3"):
        rows.db.read(lambda tx: flock.sheep_of(tx, SheepId(3, 7)))


def test_a_rating_is_the_sum_of_everybodys_last_vote(rows: Rows):
    sheep = loop(rows)
    for voter, value in (("a", 1), ("b", 1), ("c", -1), ("b", -1)):
        rows.db.write(lambda tx, v=voter, n=value: flock.vote(tx, sheep.job_id, v, n, NOW))
    assert rows.db.read(lambda tx: flock.sheep_of(tx, sheep.id)).rating == -1


def test_filmed_sheep_are_those_of_a_generation_with_that_film(rows: Rows):
    first, _, third = loop(rows), loop(rows), loop(rows)
    digest = rows.blob()
    for sheep, name in ((first, "film.avi"), (first, "film.mp4"), (third, "film.mp4")):
        rows.db.write(lambda tx, s=sheep, n=name: blobs.set_product(tx, s.job_id, n, digest, "video/x", NOW + 3))
    filmed = rows.db.read(lambda tx: flock.filmed(tx, 1, "film.avi"))
    assert [(one.sheep.id, one.made_at, one.size_bytes, one.digest) for one in filmed] == [
        (first.id, NOW + 3, 7, digest)
    ]
    assert rows.db.read(lambda tx: flock.filmed(tx, 2, "film.avi")) == []
