"""The ledger: one row for a valid result."""

from functools import partial

import pytest
from tests.conftest import in_threads
from tests.store.conftest import NOW, Rows
from tests.store.test_tasks import submitted

from sheepfold.model.credit import Effort, Millipoints
from sheepfold.model.tasks import Verdict
from sheepfold.store import ledger

EFFORT = Effort(1000, 20)


def test_a_result_is_paid_once_however_many_try(rows: Rows):
    job_id = rows.job()
    box = rows.machine("box")
    result = submitted(rows, rows.claim(box), rows.blob()).results[0]
    pay = partial(ledger.pay, result=result, job_id=job_id, effort=EFFORT, millipoints=Millipoints(1000), now=NOW)
    in_threads(5, lambda _: rows.db.write(pay))
    assert rows.db.read(lambda tx: ledger.purse_of(tx, box.account_id).earned) == 1000


def test_who_earned_nothing_has_nothing(rows: Rows):
    ann = rows.account("ann")
    assert rows.db.read(lambda tx: ledger.purse_of(tx, ann.id).earned) == 0


def test_a_balance_outgrows_32_bits(rows: Rows):
    job_id = rows.job(tasks=3)
    box = rows.machine("box")
    for n in range(3):
        result = submitted(rows, rows.claim(box), rows.blob(f"{n}" * 64)).results[0]
        rows.db.write(lambda tx, r=result: ledger.pay(tx, r, job_id, EFFORT, Millipoints(2**40), NOW))
    assert rows.db.read(lambda tx: ledger.purse_of(tx, box.account_id).earned) == 3 * 2**40


def test_a_machines_verdicts_come_newest_first_and_without_pending_ones(rows: Rows):
    rows.job(tasks=4)
    box = rows.machine("box")
    for n in range(4):
        submitted(rows, rows.claim(box), rows.blob(f"{n}" * 64))
    rows.run("UPDATE results SET verdict = 'invalid' WHERE id = 3")
    rows.run("UPDATE results SET verdict = 'pending' WHERE id = 4")
    newest = rows.db.read(lambda tx: ledger.newest_verdicts(tx, box.id, 2))
    assert newest == [Verdict.INVALID, Verdict.VALID]


@pytest.mark.parametrize(("state", "found"), [("done", 4), ("failed", 2), ("canceled", 1)])
def test_blank_pictures_that_nobody_could_confirm_count_little(rows: Rows, state: str, found: int):
    rows.job(tasks=4)
    box = rows.machine("box")
    for n in range(4):
        submitted(rows, rows.claim(box), rows.blob(f"{n}" * 64))
    rows.run("UPDATE results SET verdict = 'invalid', soundness = 'blank' WHERE id > 1")
    rows.run(f"UPDATE tasks SET state = '{state}' WHERE id > 1")
    assert len(rows.db.read(lambda tx: ledger.newest_verdicts(tx, box.id, 5))) == found


def test_blank_pictures_of_one_task_are_one_verdict(rows: Rows):
    rows.job(tasks=4)
    box = rows.machine("box")
    for n in range(4):
        submitted(rows, rows.claim(box), rows.blob(f"{n}" * 64))
    rows.run("UPDATE results SET verdict = 'invalid' WHERE id > 1")
    assert len(rows.db.read(lambda tx: ledger.newest_verdicts(tx, box.id, 5))) == 4
    rows.run("UPDATE results SET task_id = 2, soundness = 'blank' WHERE id > 1")
    newest = rows.db.read(lambda tx: ledger.newest_verdicts(tx, box.id, 5))
    assert newest == [Verdict.INVALID, Verdict.VALID]
