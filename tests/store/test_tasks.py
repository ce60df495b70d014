"""Tasks whole: loaded, changed by a rule, and saved."""

from dataclasses import replace

import pytest
from tests.conftest import in_threads
from tests.store.conftest import NOW, Rows

from sheepfold.model import lifecycle
from sheepfold.model.errors import UnknownTask
from sheepfold.model.jobs import Terms
from sheepfold.model.machines import MachineId
from sheepfold.model.tasks import Result, Soundness, Task, TaskId, TaskState, Verdict
from sheepfold.store import tasks
from sheepfold.store.claim import Granted
from sheepfold.store.database import Tx
from sheepfold.store.ledger import Past, past_of


def result_for(desk: tasks.Desk, granted: Granted, digest: str, **more: object) -> Result:
    lease = lifecycle.lease_of(desk.task, granted.lease_id)
    return Result(desk.result_id, lease.id, lease.machine_id, lease.account_id, digest, NOW, media_type="image/png",
                  width=64, height=48, **more)  # fmt: skip


def submitted(rows: Rows, granted: Granted, digest: str, **more: object) -> Task:
    """Submit a result and save what the rule makes of it."""

    def operation(tx: Tx) -> Task:
        desk = tasks.load_desk(tx, granted.task_id, MachineId(1))
        after = lifecycle.submit(desk.task, result_for(desk, granted, digest, **more), NOW)
        tasks.save(tx, desk.task, after, NOW)
        return after

    return rows.db.write(operation)


def test_a_task_comes_back_as_it_was_saved(rows: Rows):
    rows.job(terms=Terms(quorum=2, max_attempts=4))
    granted = rows.claim(rows.machine("box"))
    saved = submitted(rows, granted, rows.blob(), soundness=Soundness.BLANK)
    assert rows.task(granted.task_id) == saved
    assert (saved.quorum, saved.max_attempts, saved.cost_ms) == (2, 4, 1000)
    assert [(result.soundness, result.verdict, result.id > 0) for result in saved.results] == [
        (Soundness.BLANK, Verdict.PENDING, True)
    ]


def test_a_desk_knows_the_id_of_the_next_result_and_what_its_machine_did_before(rows: Rows):
    rows.job(tasks=2)
    box = rows.machine("box")
    first, second = rows.claim(box), rows.claim(box)

    def desk() -> tasks.Desk:
        return rows.db.write(lambda tx: tasks.load_desk(tx, second.task_id, box.id))

    assert desk().past == Past(0, ())
    before = submitted(rows, first, rows.blob()).results[0]
    found = desk()
    assert (found.task, found.past) == (rows.task(second.task_id), Past(NOW, ()))
    assert found.past == rows.db.read(lambda tx: past_of(tx, box.id, found.result_id))
    newest = submitted(rows, second, rows.blob()).results[0]
    assert before.id < found.result_id <= newest.id == rows.task(second.task_id).results[0].id


def test_a_task_that_there_is_not_has_no_desk(rows: Rows):
    with pytest.raises(UnknownTask, match="no task 99"):
        rows.db.write(lambda tx: tasks.load_desk(tx, TaskId(99), MachineId(1)))


def test_saving_keeps_openings_at_what_the_rule_says(rows: Rows):
    rows.job(terms=Terms(quorum=2))
    first, second = rows.claim(rows.machine("box")), rows.claim(rows.machine("other"))
    stored = "SELECT openings FROM tasks"
    submitted(rows, first, rows.blob("a" * 64))
    assert rows.run(stored) == [(0,)]
    saved = submitted(rows, second, rows.blob("b" * 64))
    assert rows.run(stored) == [(lifecycle.openings(saved),)] == [(1,)]


def test_a_verdict_of_an_older_result_is_saved_with_the_newer(rows: Rows):
    rows.job(terms=Terms(quorum=2))
    first, second = rows.claim(rows.machine("box")), rows.claim(rows.machine("other"))
    one = submitted(rows, first, rows.blob("a" * 64)).results[0]
    saved = submitted(rows, second, rows.blob("b" * 64), like=one.id)
    assert rows.task(first.task_id) == saved
    assert [result.verdict for result in saved.results] == [Verdict.VALID] * 2
    assert rows.run("SELECT state, openings, ended_at FROM tasks") == [("done", 0, NOW)]


def test_a_task_that_did_not_change_is_not_written(rows: Rows):
    rows.job()
    granted = rows.claim(rows.machine("box"))

    def operation(tx: Tx) -> Task:
        before = tasks.load(tx, granted.task_id, lock=True)
        tasks.save(tx, before, before, NOW + 9)
        return before

    assert rows.db.write(operation) == rows.task(granted.task_id)


def test_a_lock_lets_nobody_else_change_the_task(rows: Rows):
    rows.job(terms=Terms(quorum=5, max_attempts=50))
    granted = [rows.claim(rows.machine(f"box-{n}")) for n in range(5)]
    digests = [rows.blob(f"{n}" * 64) for n in range(5)]
    in_threads(5, lambda n: submitted(rows, granted[n], digests[n]))
    task = rows.task(granted[0].task_id)
    assert len(task.results) == 5
    assert rows.run("SELECT openings FROM tasks") == [(lifecycle.openings(task),)]


def test_tasks_are_found_by_their_place(rows: Rows):
    job_id = rows.job(tasks=3)
    found = rows.db.read(lambda tx: tasks.find_task(tx, job_id, 1))
    task = rows.task(found)
    assert (task.job_id, task.frame, task.part) == (job_id, 1, 0)
    with pytest.raises(UnknownTask, match="no frame 9"):
        rows.db.read(lambda tx: tasks.find_task(tx, job_id, 9))
    with pytest.raises(UnknownTask, match="no task 99"):
        rows.task(TaskId(99))


def test_tasks_with_an_overdue_lease_are_found_once_each(rows: Rows):
    rows.job(tasks=2, terms=Terms(quorum=2))
    for machine in ("box", "other"):
        for _ in range(2):
            rows.claim(rows.machine(machine))
    assert rows.db.read(lambda tx: tasks.overdue_tasks(tx, NOW + 599, 10)) == []
    assert len(rows.db.read(lambda tx: tasks.overdue_tasks(tx, NOW + 600, 10))) == 2
    assert len(rows.db.read(lambda tx: tasks.overdue_tasks(tx, NOW + 600, 1))) == 1


def test_canceling_at_once_leaves_tasks_with_results_to_the_rule(rows: Rows):
    job_id = rows.job(tasks=3, terms=Terms(quorum=2))
    granted = rows.claim(rows.machine("box"))
    submitted(rows, granted, rows.blob())
    assert rows.db.write(lambda tx: tasks.cancel_untouched(tx, job_id, NOW)) == 2
    assert rows.db.read(lambda tx: tasks.open_tasks_of(tx, job_id)) == [granted.task_id]


def test_canceling_at_once_does_what_the_rule_does(rows: Rows):
    job_id = rows.job(tasks=2, terms=Terms(quorum=2))
    rows.claim(rows.machine("box"))
    before = [rows.task(TaskId(n)) for n in (1, 2)]
    rows.db.write(lambda tx: tasks.cancel_untouched(tx, job_id, NOW))
    assert [rows.task(TaskId(n)) for n in (1, 2)] == [lifecycle.cancel(task, NOW) for task in before]
    assert rows.run("SELECT state, openings, ended_at FROM tasks") == [("canceled", 0, NOW)] * 2


def test_a_jobs_tasks_are_listed_in_the_order_of_frames(rows: Rows):
    job_id = rows.job(tasks=2, terms=Terms(quorum=2))
    rows.claim(rows.machine("box"))
    listed = rows.db.read(lambda tx: tasks.rows_of_job(tx, job_id))
    assert [(row.frame, row.state, row.openings, row.active_leases, row.has_preview) for row in listed] == [
        (0, TaskState.OPEN, 1, 1, False), (1, TaskState.OPEN, 2, 0, False)
    ]  # fmt: skip


def test_a_result_of_its_own_making_cannot_be_stored_twice(rows: Rows):
    rows.job()
    granted = rows.claim(rows.machine("box"))
    saved = submitted(rows, granted, rows.blob())

    def twice(tx: Tx) -> None:
        desk = tasks.load_desk(tx, granted.task_id, MachineId(1))
        copy = replace(desk.task.results[0], id=desk.result_id)
        tasks.save(tx, desk.task, replace(desk.task, results=(*desk.task.results, copy)), NOW)

    with pytest.raises(Exception, match=r"(?i)unique"):
        rows.db.write(twice)
    assert rows.task(granted.task_id) == saved
