"""Rows of chores."""

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text
from tests.conftest import in_threads
from tests.store.conftest import NOW, Rows

from sheepfold.store import chores
from sheepfold.store.chores import Chore, ChoreWhat
from sheepfold.store.database import Tx

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


def test_what_a_clock_that_was_wrong_put_off_is_made_due(queued: Rows):
    yesterday = NOW - 86_400
    assert take(queued, yesterday) is None
    assert queued.db.read(lambda tx: chores.is_any_due_after(tx, yesterday + 3600))
    assert queued.db.write(lambda tx: chores.hasten(tx, yesterday, yesterday + 3600)) == 3
    assert not queued.db.read(lambda tx: chores.is_any_due_after(tx, yesterday + 3600))
    assert take(queued, yesterday).id == 1


def test_a_chore_that_nobody_ended_is_taken_again_after_its_term(queued: Rows):
    queued.run("DELETE FROM chores WHERE id > 1")
    assert take(queued, NOW).attempts == 1
    assert take(queued, NOW + TERM_S - 1) is None
    assert take(queued, NOW + TERM_S).attempts == 2


def test_a_house_that_died_is_counted_apart_from_attempts(queued: Rows):
    queued.run("DELETE FROM chores WHERE id > 1")
    for deaths in range(3):
        taken = queued.db.write(lambda tx, n=deaths: chores.take(tx, NOW + n * TERM_S, TERM_S, f"house {n}"))
        assert (taken.attempts, taken.deaths) == (1, deaths)
    assert [chore.id for chore in queued.db.read(lambda tx: chores.taken_by(tx, "house 2"))] == [1]
    assert queued.db.read(lambda tx: chores.taken_by(tx, "house 1")) == []


def test_new_chores_and_those_that_are_tried_again_stand_in_one_queue(queued: Rows):
    first, second, job_id = take(queued), take(queued), queued.job()
    queued.db.write(lambda tx: chores.retry(tx, first.id, NOW + 4, "Later."))
    queued.db.write(lambda tx: chores.lose(tx, second.id, NOW + 6))
    for at in (NOW + 3, NOW + 5, NOW + 7):
        queued.db.write(lambda tx, at=at: chores.add(tx, ChoreWhat.CLEAR, job_id, None, at))
    assert [take(queued).id for _ in range(6)] == [3, 4, 1, 5, 2, 6]


def test_a_chore_that_is_lost_for_the_first_time_keeps_its_place(queued: Rows):
    taken = take(queued)
    queued.db.write(lambda tx: chores.lose(tx, taken.id, 0))
    again = take(queued)
    assert (again.id, again.attempts, again.deaths) == (taken.id, 1, 1)


def test_chores_are_taken_by_their_index(queued: Rows):
    """Neither sorted as a whole nor read as a whole, however many wait."""
    queued.run("INSERT INTO chores (what, job_id, state, attempts, reason, queued_at, due_at, taken_by) SELECT 'clear',"
               " c.job_id, 'queued', 0, '', c.queued_at + n.id, c.queued_at + n.id, ''"
               " FROM chores c CROSS JOIN (SELECT 1000 + row_number() OVER () AS id FROM chores a, chores b, chores c2,"
               " chores d, chores e) n")
    inner = chores._TAKE[chores._TAKE.index("(SELECT id") + 1:chores._TAKE.index(")\n    RETURNING")]
    is_sqlite = queued.db.read(lambda tx: tx.dialect.name) == "sqlite"
    if not is_sqlite:
        queued.run("ANALYZE chores")
    asked = text(("EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN ") + inner.format(lock=""))
    plan = [str(row) for row in queued.db.read(lambda tx: tx.execute(asked, {"now": NOW + 10**6}).all())]
    assert any("ix_chores_due" in line for line in plan), plan
    assert not any("TEMP B-TREE" in line or "Seq Scan" in line for line in plan), plan


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


def test_waiting_chores_are_counted_of_one_job(queued: Rows):
    first = queued.db.read(lambda tx: tx.execute(text("SELECT job_id FROM chores LIMIT 1")).scalar_one())
    other = queued.job()
    queued.db.write(lambda tx: chores.add(tx, ChoreWhat.PREVIEW, other, 1, NOW))
    assert queued.db.read(lambda tx: chores.count_waiting(tx, first)) == 3
    assert queued.db.read(lambda tx: chores.count_waiting(tx, other)) == 1


def test_houses_that_come_at_once_take_different_chores(queued: Rows):
    taken = [chore.id for chore in in_threads(6, lambda _: take(queued)) if chore]
    assert sorted(taken) == [1, 2, 3]


def give_up(rows: Rows) -> None:
    chore = take(rows)
    rows.db.write(lambda tx: chores.end(tx, chore.id, failed=True, reason="No space left."))


def states(rows: Rows) -> list[str]:
    asked = text("SELECT state FROM chores ORDER BY id")
    return [row.state for row in rows.db.read(lambda tx: tx.execute(asked).all())]


def test_what_was_given_up_is_queued_once_however_many_ask_at_once(queued: Rows):
    """The first to ask is not done yet when the second one does."""
    job_id = queued.db.read(lambda tx: tx.execute(text("SELECT job_id FROM chores LIMIT 1")).scalar_one())
    for _ in range(3):
        give_up(queued)
    has_asked = threading.Event()

    def ask(number: int) -> int:
        def again(tx: Tx) -> int:
            count = chores.queue_again(tx, job_id, NOW)
            if number == 0:
                has_asked.set()
                time.sleep(0.5)
            return count

        if number == 1:
            assert has_asked.wait(60)
        return queued.db.write(again)

    assert in_threads(2, ask) == [1, 0]
    assert states(queued) == ["done"] * 3 + ["queued"]


class Interrupted:
    """A transaction behind whose first statement something else happens."""

    def __init__(self, tx: Tx, deed: Callable[[], None]) -> None:
        self._tx = tx
        self._deeds = [deed]

    def __getattr__(self, name: str) -> object:
        return getattr(self._tx, name)

    def execute(self, *words: object) -> object:
        answer = self._tx.execute(*words)
        while self._deeds:
            self._deeds.pop()()
        return answer


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_what_is_given_up_while_others_are_queued_again_stays_given_up(queued: Rows):
    job_id = queued.db.read(lambda tx: tx.execute(text("SELECT job_id FROM chores LIMIT 1")).scalar_one())
    queued.run("UPDATE chores SET what = 'preview' WHERE id = 2")
    give_up(queued)
    asked = queued.db.write(lambda tx: chores.queue_again(Interrupted(tx, lambda: give_up(queued)), job_id, NOW))
    assert asked == 1
    assert [chore.what for chore in queued.db.read(chores.failed)] == ["preview"]
    assert states(queued) == ["done", "failed", "queued", "queued"]


def test_those_that_were_given_up_are_found_by_their_index(queued: Rows):
    """At the end of each chore, however many are done."""
    queued.run("INSERT INTO chores (what, job_id, state, attempts, reason, queued_at, due_at, taken_by) SELECT 'clear',"
               " c.job_id, 'done', 0, '', c.queued_at, c.queued_at, '' FROM chores a, chores b, chores c, chores d,"
               " chores e, chores f, chores g")
    is_sqlite = queued.db.read(lambda tx: tx.dialect.name) == "sqlite"
    if not is_sqlite:
        queued.run("ANALYZE chores")
    asked = text(("EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN ") + chores._SUPERSEDE.text)
    plan = [str(row) for row in queued.db.read(lambda tx: tx.execute(asked, {"id": 1}).all())]
    assert any("ix_chores_failed" in line for line in plan), plan
    assert not any("Seq Scan" in line for line in plan), plan
