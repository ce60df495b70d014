"""The one way in which a task changes: what a rule has decided is written with all that follows from it.

From the difference between a task before and after come its rows, the credit of newly valid results, the counts and
the end of its job, the chores that are now due, a machine's suspension, and the events that tell of it; all in the
caller's transaction. A machine earns once with a frame, however many leases it had on it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sheepfold.model.credit import Effort, earned, power
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import JobId, JobState
from sheepfold.model.lifecycle import lease_of, openings
from sheepfold.model.machines import MachineId
from sheepfold.model.notices import Notice, Topic
from sheepfold.model.tasks import LeaseState, Result, ResultId, Task, TaskState, Verdict
from sheepfold.model.trust import INVALID_IN_A_ROW, is_suspended
from sheepfold.store import accounts as account_rows
from sheepfold.store import chores as chore_rows
from sheepfold.store import events as event_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import lanes as lane_rows
from sheepfold.store import ledger as ledger_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store import webhooks as hook_rows
from sheepfold.store.chores import ChoreWhat
from sheepfold.store.database import Tx
from sheepfold.store.ledger import Past
from sheepfold.store.tasks import Told

_LEASE_EVENTS = {
    LeaseState.FAILED: What.LEASE_FAILED,
    LeaseState.RELEASED: What.LEASE_RELEASED,
    LeaseState.EXPIRED: What.LEASE_EXPIRED,
    LeaseState.WITHDRAWN: What.LEASE_WITHDRAWN,
}
_TASK_EVENTS = {
    TaskState.DONE: What.TASK_DONE,
    TaskState.FAILED: What.TASK_FAILED,
    TaskState.CANCELED: What.TASK_CANCELED,
    TaskState.OPEN: What.TASK_REOPENED,
}
_JOB_EVENTS = {JobState.DONE: What.JOB_DONE, JobState.FAILED: What.JOB_FAILED, JobState.CANCELED: What.JOB_CANCELED}


@dataclass(frozen=True, slots=True)
class Known:
    """What a settlement knows beforehand: what machines did before their results, and what a client told."""

    pasts: Mapping[ResultId, Past] = field(default_factory=dict)
    told: Told | None = None
    left_in_job: int = 0
    """How many tasks of the job had not ended just now; 0 where nobody looked."""


def settle(tx: Tx, before: Task, after: Task, now: int, detail: dict[str, object] | None = None,
           known: Known | None = None) -> None:
    """Write what a rule changed of a task, and all that follows from it.

    `before` must have been loaded under its lock in this transaction. `detail` goes into the events of its leases.
    """
    known = known or Known()
    task_rows.save(tx, before, after, now, known.told)
    if after == before:
        return
    judged = _newly_judged(before, after)
    events = [*_lease_events(before, after, detail or {}), *_result_events(before, after, judged)]
    events += _paid(tx, after, _earning(before, judged), known.pasts, now)
    event_rows.add(tx, [*events, *_task_events(before, after)], now)
    event_rows.add(tx, _job_events(tx, before, after, known.left_in_job, now), now)
    if openings(after) > openings(before):
        lane_rows.wake_lane_of(tx, after.id)
    _suspended(tx, judged, now)


def end_job(tx: Tx, job_id: JobId, state: JobState, now: int) -> Iterator[Event]:
    """End a running job and queue what is made of it; the events that tell of it are the caller's to write."""
    if job_rows.end_job(tx, job_id, state, now):
        if state is JobState.DONE:
            chore_rows.add(tx, ChoreWhat.ASSEMBLE, job_id, None, now)
        yield Event(_JOB_EVENTS[state], job_id)


def _newly_judged(before: Task, after: Task) -> list[Result]:
    known = {result.id: result.verdict for result in before.results}
    return [result for result in after.results
            if result.verdict is not Verdict.PENDING and known.get(result.id) is not result.verdict]


def _lease_events(before: Task, after: Task, detail: dict[str, object]) -> Iterator[Event]:
    known = {lease.id: lease.state for lease in before.leases}
    for lease in after.leases:
        if lease.state is not known[lease.id] and lease.state in _LEASE_EVENTS:
            told = {"lease": lease.id, "machine": lease.machine_id, **detail}
            yield Event(_LEASE_EVENTS[lease.state], after.job_id, after.id, told)


def _result_events(before: Task, after: Task, judged: list[Result]) -> Iterator[Event]:
    known = {result.id for result in before.results}
    for result in after.results:
        if result.id not in known:
            told = {"result": result.id, "lease": result.lease_id, "machine": result.machine_id,
                    "digest": result.digest}
            yield Event(What.RESULT_SUBMITTED, after.job_id, after.id, told)
    for result in judged:
        is_valid = result.verdict is Verdict.VALID
        told = {"result": result.id, "machine": result.machine_id} | ({} if is_valid else {"reason": result.reason})
        yield Event(What.RESULT_VALID if is_valid else What.RESULT_INVALID, after.job_id, after.id, told)


def _earning(before: Task, judged: list[Result]) -> Iterator[Result]:
    """Yield the newly valid results, one for each machine that had none valid of this round yet."""
    have_one = {known.machine_id for known in before.results
                if known.verdict is Verdict.VALID and known.lease_id > before.past_lease}
    for result in judged:
        if result.verdict is Verdict.VALID and result.machine_id not in have_one:
            have_one.add(result.machine_id)
            yield result


def _paid(tx: Tx, task: Task, earning: Iterable[Result], pasts: Mapping[ResultId, Past], now: int) -> Iterator[Event]:
    for result in earning:
        past = pasts.get(result.id) or ledger_rows.past_of(tx, result.machine_id, result.id)
        begun_at = max(past.last_at, lease_of(task, result.lease_id).granted_at)
        effort = Effort(max(1, task.cost_ms), max(0, result.submitted_at - begun_at))
        amount = earned(effort, power(past.efforts))
        ledger_rows.pay(tx, result, task.job_id, effort, amount, now)
        told = {"result": result.id, "account": result.account_id, "millipoints": amount}
        yield Event(What.CREDIT_EARNED, task.job_id, task.id, told)


def _task_events(before: Task, after: Task) -> Iterator[Event]:
    if after.state is not before.state:
        yield Event(_TASK_EVENTS[after.state], after.job_id, after.id)


def _job_events(tx: Tx, before: Task, after: Task, left_in_job: int, now: int) -> list[Event]:
    """Count a task that has ended or was opened anew in its job, which may end or go on with it."""
    if after.state is before.state:
        return []
    return list(_reopened(tx, before) if after.state is TaskState.OPEN else _ended(tx, after, left_in_job, now))


def _ended(tx: Tx, task: Task, left_in_job: int, now: int) -> Iterator[Event]:
    """Count an ended task, and end its job with its last one."""
    is_done = task.state is TaskState.DONE
    if is_done:
        chore_rows.add(tx, ChoreWhat.PREVIEW, task.job_id, task.id, now)
    progress = job_rows.count_ended(tx, task.job_id, done=int(is_done), failed=int(not is_done), left=left_in_job)
    if progress is not None and progress.outcome() is not JobState.RUNNING:
        yield from end_job(tx, task.job_id, progress.outcome(), now)


def _reopened(tx: Tx, before: Task) -> Iterator[Event]:
    """Take a task that is open again out of its job's counts, and have the job run again."""
    is_done = before.state is TaskState.DONE
    job_rows.count_ended(tx, before.job_id, done=-int(is_done), failed=-int(not is_done))
    if job_rows.reopen_job(tx, before.job_id):
        yield Event(What.JOB_REOPENED, before.job_id)


def _suspended(tx: Tx, judged: list[Result], now: int) -> None:
    for machine_id in {result.machine_id for result in judged if result.verdict is Verdict.INVALID}:
        if is_suspended(ledger_rows.newest_verdicts(tx, machine_id, INVALID_IN_A_ROW)):
            if not account_rows.is_suspended(tx, machine_id):
                _tell_suspension(tx, machine_id, now)
            # later than a pause by its own account at this moment, which may be lifted
            account_rows.suspend_machine(tx, machine_id, now + 1)


def _tell_suspension(tx: Tx, machine_id: MachineId, now: int) -> None:
    machine = account_rows.machine_of(tx, machine_id)
    told = {"machine": machine.name, "reason": f"Its last {INVALID_IN_A_ROW} results were invalid."}
    hook_rows.note(tx, [Notice(Topic.MACHINE_SUSPENDED, account_id=machine.account_id, detail=told)], now)
