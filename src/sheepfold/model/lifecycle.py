"""The life of a task, as pure rules: grant, heartbeat, submit, give up, cancel, and the transition that follows.

```
lease   active ──► submitted        task   open ──► done       enough results agree
          ├──► failed                        ├──► failed     attempts used up, nobody working
          ├──► expired ──► submitted         └──► canceled      (done, failed ──► open: again)
          ├──► released                    result  pending ──► valid | invalid
          └──► withdrawn
```

Every function takes a whole task and returns it as it should be; nothing here reads a clock. `transition` is
idempotent, so it may run twice or late (the idea of BOINC's transitioner). Late results are judged and paid like
others: a late frame is a frame.

An attempt is used up by a renderer that failed or a result that was invalid, never by an expired or released lease:
old clients of Electric Sheep take work and drop it silently each ten minutes while their screen is in use (protocol
note, section 3.2).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from sheepfold.model.errors import LeaseNotHeld, UnknownLease
from sheepfold.model.machines import MachineId
from sheepfold.model.tasks import (
    Lease,
    LeaseId,
    LeaseState,
    Result,
    ResultId,
    Task,
    TaskState,
    Verdict,
)

RESULTS_OF_A_LEASE = 5
"""How many results one lease may send: a few transfers may go wrong, a flood of them is refused unseen."""


def openings(task: Task) -> int:
    """Return how many leases may still be granted: what the quorum lacks, less the leases that are being worked on."""
    if task.state is not TaskState.OPEN or _attempts_used(task) >= task.max_attempts:
        return 0
    return max(0, task.quorum - _best_support(task) - len(_active(task)))


def may_take(task: Task, machine_id: MachineId) -> bool:
    """Say whether a machine may have a lease: it holds none here, and no good result of it waits for others."""
    holds = any(lease.machine_id == machine_id for lease in _active(task))
    waits = any(result.machine_id == machine_id for result in _countable(task))
    return openings(task) > 0 and not holds and not waits


def grant(task: Task, lease: Lease) -> Task:
    """Add an active lease; raises LeaseNotHeld where `may_take` says no."""
    if not may_take(task, lease.machine_id):
        raise LeaseNotHeld(f"Task {task.id} has no opening for machine {lease.machine_id}.")
    return replace(task, leases=(*task.leases, lease))


def heartbeat(task: Task, lease_id: LeaseId, deadline_at: int) -> Task:
    """Move an active lease's deadline; raises LeaseNotHeld if it is active no more, or the task has ended."""
    lease = lease_of(task, lease_id)
    if lease.state is not LeaseState.ACTIVE or task.state is not TaskState.OPEN:
        raise LeaseNotHeld(f"Lease {lease_id} on task {task.id} is {lease.state}, the task {task.state}.")
    return _with_lease(task, replace(lease, deadline_at=max(lease.deadline_at, deadline_at)))


def give_up(task: Task, lease_id: LeaseId, now: int, *, failed: bool) -> Task:
    """End an active lease as failed or released; a lease that has ended stays as it is."""
    lease = lease_of(task, lease_id)
    if lease.state is not LeaseState.ACTIVE:
        return task
    state = LeaseState.FAILED if failed else LeaseState.RELEASED
    return transition(_with_lease(task, replace(lease, state=state, ended_at=now)), now)


def submit(task: Task, result: Result, now: int) -> Task:
    """Take a result in, however late, and judge it. The same bytes for the same lease again change nothing."""
    lease = lease_of(task, result.lease_id)
    if any(known.lease_id == lease.id and known.digest == result.digest for known in task.results):
        return task
    check_may_submit(task, lease.id)
    if lease.state is not LeaseState.SUBMITTED:
        lease = replace(lease, state=LeaseState.SUBMITTED, ended_at=now)
    taken = replace(_with_lease(task, lease), results=(*task.results, result))
    return transition(taken, now)


def withdraw(task: Task, now: int) -> Task:
    """Begin an open task anew, since what it is rendered from has changed: nothing that its leases send is taken."""
    if task.state is not TaskState.OPEN:
        return task
    past = max((lease.id for lease in task.leases), default=task.past_lease)
    ended = {LeaseState.ACTIVE, LeaseState.EXPIRED, LeaseState.RELEASED}

    def withdrawn(lease: Lease) -> Lease:
        if lease.state not in ended:
            return lease
        return replace(lease, state=LeaseState.WITHDRAWN, ended_at=lease.ended_at or now)

    leases = tuple(withdrawn(lease) for lease in task.leases)
    return transition(replace(task, leases=leases, past_lease=past), now)


def reopen(task: Task, now: int) -> Task:
    """Open a done or failed task anew, to be rendered once more; an open or canceled one stays as it is.

    What it has stays valid and paid, and uses no attempt of the new round up; who still renders for the old one is
    not taken any more.
    """
    if task.state not in {TaskState.DONE, TaskState.FAILED}:
        return task
    return withdraw(replace(task, state=TaskState.OPEN), now)


def picture_of(task: Task) -> Result | None:
    """Return the result that shows the task's picture, of the newest round that has one; the oldest stands for it."""
    valid = [result for result in task.results if result.verdict is Verdict.VALID]
    return next((result for result in valid if result.lease_id > task.past_lease), valid[-1] if valid else None)


def check_may_submit(task: Task, lease_id: LeaseId) -> None:
    """Raise LeaseNotHeld where a lease was withdrawn, has its result already, or has sent too many bad ones."""
    is_withdrawn = any(lease.id == lease_id and lease.state is LeaseState.WITHDRAWN for lease in task.leases)
    if is_withdrawn or lease_id <= task.past_lease:
        raise LeaseNotHeld(f"Lease {lease_id} on task {task.id} was withdrawn: replaced by a new input or round.")
    sent = [result for result in task.results if result.lease_id == lease_id]
    if any(result.verdict is not Verdict.INVALID for result in sent):
        raise LeaseNotHeld(f"Lease {lease_id} on task {task.id} has its result already.")
    if len(sent) >= RESULTS_OF_A_LEASE:
        raise LeaseNotHeld(f"Lease {lease_id} on task {task.id} has sent {len(sent)} bad results already.")


def cancel(task: Task, now: int) -> Task:
    """End an open task for good; what is being rendered may still be submitted and is paid."""
    if task.state is not TaskState.OPEN:
        return task
    return transition(replace(task, state=TaskState.CANCELED), now)


def transition(task: Task, now: int) -> Task:
    """Return the task as it should be at `now`: old leases expired, results judged, its state drawn from them."""
    return _settled(_judged(_expired(task, now)))


def lease_of(task: Task, lease_id: LeaseId) -> Lease:
    """Return a task's lease; raises UnknownLease."""
    for lease in task.leases:
        if lease.id == lease_id:
            return lease
    raise UnknownLease(f"Task {task.id} has no lease {lease_id}.")


def _expired(task: Task, now: int) -> Task:
    def aged(lease: Lease) -> Lease:
        if lease.state is LeaseState.ACTIVE and lease.deadline_at <= now:
            return replace(lease, state=LeaseState.EXPIRED, ended_at=now)
        return lease

    return replace(task, leases=tuple(aged(lease) for lease in task.leases))


def _judged(task: Task) -> Task:
    """Give verdicts: the first likeness with enough voices wins, and what differs from it loses."""
    winner = _winner(task)
    if winner is not None:
        return _with_verdicts(task, lambda result: _verdict_against(result, winner))
    if task.state is TaskState.FAILED or _is_spent(task) or _is_abandoned(task):
        lonely = "No other machine made the same."
        return _with_verdicts(task, lambda result: (Verdict.INVALID, result.reason or lonely))
    return task


def _verdict_against(result: Result, winner: ResultId) -> tuple[Verdict, str]:
    if result.party == winner:
        return Verdict.VALID, ""
    return Verdict.INVALID, result.reason or "It differs from what other machines made."


def _winner(task: Task) -> ResultId | None:
    """Return the party that holds the task's picture: one that was valid before, else the first with a quorum."""
    sound = [result for result in _present(task) if result.verdict is not Verdict.INVALID]
    for result in sound:
        if result.verdict is Verdict.VALID:
            return result.party
    quorum = 1 if task.state is TaskState.CANCELED else task.quorum  # nobody will be asked to confirm it any more
    for party, alike in _parties(sound).items():
        if _has_quorum(alike, quorum):
            return party
    return None


def _has_quorum(alike: list[Result], quorum: int) -> bool:
    if all(result.is_doubtful for result in alike) and len({result.account_id for result in alike}) < 2:
        return False
    return len({result.machine_id for result in alike}) >= quorum


def _settled(task: Task) -> Task:
    if task.state is not TaskState.OPEN:
        return task
    if any(result.verdict is Verdict.VALID for result in _present(task)):
        return replace(task, state=TaskState.DONE)
    return replace(task, state=TaskState.FAILED) if _is_spent(task) else task


def _is_spent(task: Task) -> bool:
    return task.state is TaskState.OPEN and _attempts_used(task) >= task.max_attempts and not _active(task)


def _is_abandoned(task: Task) -> bool:
    return task.state is TaskState.CANCELED and not _active(task)


def _attempts_used(task: Task) -> int:
    """Count what went wrong: failed leases, invalid results, blank ones, and voices outside the largest party.

    The invalid results of one lease count once: whoever knows a client's name may send them on some wires.
    """
    failed = sum(lease.state is LeaseState.FAILED for lease in task.leases if lease.id > task.past_lease)
    invalid = len({result.lease_id for result in _present(task) if result.verdict is Verdict.INVALID})
    doubtful = sum(result.is_doubtful for result in _present(task) if result.verdict is Verdict.PENDING)
    voices = _voices(task)
    dissent = sum(voices) - max(voices, default=0)
    return failed + invalid + doubtful + dissent


def _best_support(task: Task) -> int:
    return max(_voices(task), default=0)


def _voices(task: Task) -> list[int]:
    """Return how many machines speak for each party; what one of them sent twice, the first time late, counts once."""
    return [len({result.machine_id for result in party}) for party in _parties(_countable(task)).values()]


def _countable(task: Task) -> list[Result]:
    """Return the results that wait for others to agree; a blank one waits too, but holds no place."""
    return [result for result in _present(task) if result.verdict is Verdict.PENDING and not result.is_doubtful]


def _present(task: Task) -> list[Result]:
    """Return the results since the task was opened, or opened anew."""
    return [result for result in task.results if result.lease_id > task.past_lease]


def _parties(results: Iterable[Result]) -> dict[ResultId, list[Result]]:
    parties: dict[ResultId, list[Result]] = defaultdict(list)
    for result in results:
        parties[result.party].append(result)
    return parties


def _active(task: Task) -> list[Lease]:
    return [lease for lease in task.leases if lease.state is LeaseState.ACTIVE]


def _with_lease(task: Task, changed: Lease) -> Task:
    return replace(task, leases=tuple(changed if lease.id == changed.id else lease for lease in task.leases))


def _with_verdicts(task: Task, judge: Callable[[Result], tuple[Verdict, str]]) -> Task:
    def judged(result: Result) -> Result:
        if result.verdict is not Verdict.PENDING:
            return result
        verdict, reason = judge(result)
        return replace(result, verdict=verdict, reason=reason)

    return replace(task, results=tuple(judged(result) for result in task.results))
