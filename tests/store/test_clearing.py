"""Who needs a blob, which are let go of, and how much lies there."""

import pytest
from tests.plans import whole
from tests.store.conftest import NOW, Rows
from tests.store.test_tasks import submitted

from sheepfold.store import blobs, clearing
from sheepfold.store.blobs import BlobRow
from sheepfold.store.clearing import Pile, count_piles, let_go, needed_of, piles_of, set_piles
from sheepfold.store.schema import metadata

A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    "name",
    [
        "INSERT INTO job_inputs (job_id, name, digest) VALUES (1000, 'genome', :digest)",
        "UPDATE tasks SET input = :digest",
        "UPDATE results SET digest = :digest",
        "INSERT INTO previews (task_id, width, digest) VALUES (1, 320, :digest)",
        "INSERT INTO products (job_id, name, digest, media_type, made_at) VALUES (1000, 'x', :digest, 'x', 1)",
        "UPDATE leases SET log = :digest",
        """INSERT INTO renderers (name, version, os, bits, digest, made, added_at)
           VALUES ('blender', '4.2', 'linux', 64, :digest, 'x', 1)""",
        "INSERT INTO archives (job_id, revision, digest, main, made_at) VALUES (1000, 0, :digest, 'x', 1)",
    ],
    ids=lambda name: name.split()[2] if name.startswith("INSERT") else name.split()[1],
)  # fmt: skip
def test_whatever_names_a_blob_keeps_it(rows: Rows, name: str):
    rows.job()
    submitted(rows, rows.claim(rows.machine("box")), rows.blob(B))
    rows.blob(A)
    rows.run(name, digest=A)
    assert rows.db.write(lambda tx: let_go(tx, [A], NOW)) == []
    assert rows.db.read(lambda tx: blobs.find(tx, A)) is not None


def test_every_column_that_names_a_blob_is_asked_before_one_is_forgotten():
    naming = {column.table.name for table in metadata.sorted_tables for column in table.columns
              for key in column.foreign_keys if key.column.table.name == "blobs"}  # fmt: skip
    assert naming == {table for table in naming if f"FROM {table} " in clearing.NEEDED}
    asked = [name for names in clearing._NAMES.values() for name in names]
    assert naming == {table for table in naming for name in asked if f"FROM {table} " in name}


def test_a_blob_that_nothing_names_is_forgotten(rows: Rows):
    rows.blob(A)
    assert rows.db.write(lambda tx: let_go(tx, [A, B], NOW)) == [A]  # B's row never was
    assert rows.db.read(lambda tx: blobs.find(tx, A)) is None


def test_a_blob_that_only_cleared_jobs_name_is_marked(rows: Rows):
    rows.job()
    submitted(rows, rows.claim(rows.machine("box")), rows.blob(A))
    assert rows.db.read(lambda tx: needed_of(tx, [A, B])) == {A}
    rows.run("UPDATE jobs SET cleared_at = 5")
    assert rows.db.write(lambda tx: let_go(tx, [A, A], NOW)) == [A]
    assert rows.db.read(lambda tx: blobs.find(tx, A)).cleared_at == NOW
    assert rows.db.write(lambda tx: let_go(tx, [A], NOW + 9)) == [A]
    assert rows.db.read(lambda tx: blobs.find(tx, A)).cleared_at == NOW


def test_every_question_goes_by_an_index(rows: Rows):
    """On SQLite, whose plans depend on no statistics; the tables that grow with tasks are never read whole."""
    if rows.db.url.startswith("postgresql"):
        return
    for query in (clearing._LYING, clearing._UNNEEDED, clearing._PILED, clearing._OF_TASKS, clearing._MADE):
        assert rows.db.read(lambda tx, query=query: whole(tx, query["sqlite"].text)) == []


def test_what_lies_there_is_counted_in_pieces(rows: Rows):
    rows.job()
    submitted(rows, rows.claim(rows.machine("box")), rows.blob(A))
    rows.blob(B)
    first, last = rows.db.read(lambda tx: count_piles(tx, "", 1))
    others, end = rows.db.read(lambda tx: count_piles(tx, last, 9))
    assert (first, others, end) == ([Pile("originals", 1, 7)], [Pile("unnamed", 1, 7)], None)
    assert rows.db.read(piles_of) == ([], None)
    rows.db.write(lambda tx: set_piles(tx, [*first, *others], NOW))
    rows.db.write(lambda tx: let_go(tx, [B], NOW))
    assert rows.db.read(piles_of) == ([Pile("originals", 1, 7), Pile("unnamed", 0, 0)], NOW)


def counted(rows: Rows) -> list[Pile]:
    """Return what a fresh count finds."""
    return rows.db.read(lambda tx: count_piles(tx, "", 9))[0]


def piled(rows: Rows) -> list[Pile]:
    """Return the piles as they are told of, without the empty ones."""
    return [pile for pile in rows.db.read(piles_of)[0] if pile != Pile(pile.sort, 0, 0)]


def count(rows: Rows, now: int = NOW) -> None:
    rows.db.write(lambda tx: set_piles(tx, [*(Pile(sort, 0, 0) for sort in clearing.SORTS), *counted(rows)], now))


def test_a_blob_that_loses_its_first_name_goes_over_to_the_pile_of_the_next_and_then_off_that(rows: Rows):
    made, other = rows.job(), rows.job()
    rows.claim(rows.machine("box"))
    rows.blob(A)
    rows.run("INSERT INTO products (job_id, name, digest, media_type, made_at) VALUES (:job, 'x', :digest, 'x', 1)",
             job=made, digest=A)
    rows.run("UPDATE leases SET log = :digest, task_id = (SELECT id FROM tasks WHERE job_id = :job)",
             digest=A, job=other)
    count(rows)
    assert piled(rows) == counted(rows) == [Pile("products", 1, 7)]
    assert rows.db.write(lambda tx: let_go(tx, [A], NOW, lambda: clearing.drop_made(tx, made, []))) == []
    assert piled(rows) == counted(rows) == [Pile("logs", 1, 7)]
    rows.run("UPDATE jobs SET cleared_at = 5, emptied_at = 6 WHERE id = :job", job=other)
    assert rows.db.write(lambda tx: let_go(tx, [A], NOW)) == [A]
    assert piled(rows) == counted(rows) == []


@pytest.mark.parametrize("was_cleared", [False, True])
def test_a_blob_that_came_after_the_count_is_taken_off_no_pile(rows: Rows, was_cleared: bool):
    if was_cleared:
        rows.blob(A)
        rows.run("UPDATE blobs SET cleared_at = 5")
    rows.blob(B)
    count(rows)
    rows.db.write(lambda tx: blobs.add(tx, BlobRow(A, "", 7), NOW + 1))
    assert rows.db.write(lambda tx: let_go(tx, [A], NOW + 2)) == [A]
    assert piled(rows) == counted(rows) == [Pile("unnamed", 1, 7)]


def test_no_pile_is_less_than_nothing_though_a_blob_has_come_to_serve_another_end(rows: Rows):
    rows.job()
    rows.blob(A)
    count(rows)
    submitted(rows, rows.claim(rows.machine("box")), A)
    rows.run("UPDATE jobs SET cleared_at = 5")
    assert rows.db.write(lambda tx: let_go(tx, [A], NOW)) == [A]
    assert piled(rows) == [Pile("unnamed", 1, 7)]  # until the next count
    assert all(pile.blobs >= 0 and pile.size_bytes >= 0 for pile in rows.db.read(piles_of)[0])
