"""Rows of chores."""

import pytest
from tests.conftest import in_threads
from tests.store.conftest import NOW, Rows

from sheepfold.store import chores
from sheepfold.store.chores import Chore, ChoreWhat

TERM_S = 60


@pytest.fixture
def queued(rows: Rows) -> Rows:
    job_id = rows.job()
    for n in range(3):
        rows.db.write(lambda tx, n=n: chores.add(tx, ChoreWhat.ASSEMBLE, job_id, None, NOW + n))
    return rows


def take(rows: Rows, now: int = NOW + 10) -> Chore | None:
    return rows.db.write(lambda tx: chores.take(tx, now, TERM_S))


def test_the_chore_that_waited_longest_is_taken_first(queued: Rows):
    assert [take(queued).id for _ in range(3)] == [1, 2, 3]
    assert take(queued) is None


def test_a_new_chore_is_due_even_where_the_clock_is_set_back(queued: Rows):
    assert take(queued, NOW - 86_400).id == 1


def test_a_chore_that_nobody_ended_is_taken_again_after_its_term(queued: Rows):
    queued.run("DELETE FROM chores WHERE id > 1")
    assert take(queued, NOW).attempts == 1
    assert take(queued, NOW + TERM_S - 1) is None
    assert take(queued, NOW + TERM_S).attempts == 2


def test_a_sign_of_life_puts_the_term_off(queued: Rows):
    queued.run("DELETE FROM chores WHERE id > 1")
    taken = take(queued, NOW)
    queued.db.write(lambda tx: chores.renew(tx, taken.id, NOW + 500))
    assert take(queued, NOW + 499) is None
    assert take(queued, NOW + 500).id == taken.id


@pytest.mark.parametrize("failed", [False, True])
def test_an_ended_chore_is_never_taken_again(queued: Rows, failed: bool):
    taken = take(queued)
    queued.db.write(lambda tx: chores.end(tx, taken.id, failed=failed, reason="No space left."))
    queued.db.write(lambda tx: chores.renew(tx, taken.id, NOW))
    assert {take(queued, NOW + 10**6).id for _ in range(2)} == {2, 3}
    assert [chore.id for chore in queued.db.read(chores.failed)] == ([taken.id] if failed else [])


def test_a_chore_that_failed_waits_until_it_is_tried_again(queued: Rows):
    queued.run("DELETE FROM chores WHERE id > 1")
    taken = take(queued, NOW)
    queued.db.write(lambda tx: chores.retry(tx, taken.id, NOW + 5, "Later."))
    assert take(queued, NOW + 4) is None
    assert take(queued, NOW + 5).id == taken.id


def test_waiting_chores_are_counted_of_one_job_or_all(queued: Rows):
    other = queued.job()
    queued.db.write(lambda tx: chores.add(tx, ChoreWhat.PREVIEW, other, 1, NOW))
    assert queued.db.read(chores.count_waiting) == 4
    assert queued.db.read(lambda tx: chores.count_waiting(tx, other)) == 1


def test_houses_that_come_at_once_take_different_chores(queued: Rows):
    taken = [chore.id for chore in in_threads(6, lambda _: take(queued)) if chore]
    assert sorted(taken) == [1, 2, 3]
