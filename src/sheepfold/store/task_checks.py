"""Tasks held against their rules, one by one: what no single query can tell."""

from collections.abc import Iterator

from sheepfold.model.lifecycle import openings, transition
from sheepfold.model.tasks import LeaseState, Task, TaskId, TaskState, Verdict
from sheepfold.store.database import Tx
from sheepfold.store.findings import Finding, named
from sheepfold.store.invariants import RESTORE
from sheepfold.store.tasks import Stored, stored_after


def wrong_tasks(tx: Tx, after: TaskId, limit: int) -> tuple[list[Finding], TaskId | None]:
    """Compare tasks after an id with what the rules say of them; returns the last id, None at the end."""
    stored, last = stored_after(tx, after, limit)
    return [finding for one in stored for finding in _wrong(tx, one)], last


def _wrong(tx: Tx, stored: Stored) -> Iterator[Finding]:
    try:
        task = stored.read()
    except ValueError as error:
        yield Finding("a task's rows can be read", f"{named(tx, 'task', stored.task_id)} cannot: {error}", RESTORE)
        return
    if stored.openings != openings(task):
        has = f"{task.state}, with {_active(task)} active leases, {len(task.results)} results, quorum {task.quorum}"
        found = f"{named(tx, 'task', task.id)} has {stored.openings}; {has}, it should have {openings(task)}"
        yield Finding("openings are what the rule says", found, RESTORE)
    for what in _left_wrong(tx, task):
        yield Finding("a task is as its rules leave it", what, RESTORE)
    for what in _unsupported(tx, task):
        yield Finding("a done task has the results that its job asks for", what, _AGAIN)
    for lease in task.leases:
        if lease.state is LeaseState.ACTIVE and lease.id <= task.past_lease:
            what = f"{named(tx, 'lease', lease.id)} is active, and the task was opened anew since it was granted"
            yield Finding("a task that is opened anew has its leases withdrawn", what, RESTORE)


_AGAIN = "Render the frame anew with `sheepfold job again`; or restore the last backup that was well."


def _active(task: Task) -> int:
    return sum(lease.state is LeaseState.ACTIVE for lease in task.leases)


def _left_wrong(tx: Tx, task: Task) -> Iterator[str]:
    """Say what the rules would change of a task at once: nothing of one that they have left."""
    wanted = transition(task, 0)
    if wanted.state is not task.state:
        yield f"{named(tx, 'task', task.id)} is {task.state}, and by its leases and results should be {wanted.state}"
    for found, right in zip(task.results, wanted.results, strict=True):
        if found.verdict is not right.verdict:
            why = f" ({right.reason})" if right.reason else ""
            yield f"{named(tx, 'result', found.id)} is {found.verdict}, and should be {right.verdict}{why}"


def _unsupported(tx: Tx, task: Task) -> Iterator[str]:
    """Say what a done task lacks: valid results of its newest round, alike, by as many machines as its job asks for."""
    valid = [result for result in task.results if result.verdict is Verdict.VALID and result.lease_id > task.past_lease]
    if len({result.party for result in valid}) > 1:
        yield (f"the valid results of {named(tx, 'task', task.id)} show different pictures: "
               + ", ".join(f"result {result.id}" for result in valid))
    machines = len({result.machine_id for result in valid})
    if task.state is TaskState.DONE and machines < task.quorum:
        yield f"{named(tx, 'task', task.id)} is done; of {task.quorum} machines that must agree on it {machines} do"
