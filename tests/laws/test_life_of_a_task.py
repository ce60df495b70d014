"""The laws of a task's life, as pure rules: whatever machines and people do, in whatever order and however late."""

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sheepfold.model import lifecycle
from sheepfold.model.accounts import AccountId
from sheepfold.model.errors import LeaseNotHeld
from sheepfold.model.jobs import JobId
from sheepfold.model.machines import MachineId
from sheepfold.model.tasks import (
    Lease,
    LeaseId,
    LeaseState,
    Result,
    ResultId,
    Soundness,
    Task,
    TaskId,
    TaskState,
    Verdict,
)

TERM_S = 100
MACHINES = st.integers(1, 5)
PICTURES = {"a": Soundness.SOUND, "b": Soundness.SOUND, "k": Soundness.BLANK, "x": Soundness.UNDECODABLE}
"""Two pictures that are not alike, a blank one, and one that cannot be read."""
MOODS = ["aaaabkx", "aab", "kkkka", "kkk", "aabxxx"]
"""What a life's machines are likely to send."""

REACHED = Counter[str]()


class Life(RuleBasedStateMachine):
    """One task, five machines of three accounts, and a clock."""

    @initialize(quorum=st.sampled_from([1, 2, 3]), max_attempts=st.integers(1, 4), mood=st.sampled_from(MOODS))
    def begin(self, quorum: int, max_attempts: int, mood: str) -> None:
        self.mood = mood
        self.now = 1000
        self.task = Task(TaskId(1), JobId(1000), 0, 0, TaskState.OPEN, quorum, max_attempts)
        self.verdicts: dict[int, Verdict] = {}
        self.ended: TaskState | None = None
        self.were_late: set[LeaseId] = set()

    @rule(machine=MACHINES)
    def claim(self, machine: int) -> None:
        lease = Lease(LeaseId(len(self.task.leases) + 1), MachineId(machine), AccountId((machine + 1) // 2),
                      LeaseState.ACTIVE, self.now, self.now + TERM_S)  # fmt: skip
        if lifecycle.may_take(self.task, lease.machine_id):
            self.task = lifecycle.grant(self.task, lease)
            return
        with pytest.raises(LeaseNotHeld):
            lifecycle.grant(self.task, lease)

    @rule(machine=MACHINES, data=st.data())
    def work(self, machine: int, data: st.DataObject) -> None:
        self.claim(machine)
        lease = max((lease for lease in self.task.leases if lease.machine_id == machine), default=None, key=_newest)
        if lease is not None:
            self._send(lease, data.draw(st.sampled_from(self.mood)))

    @precondition(lambda self: self.task.leases)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.task.leases))
        if lease.state is LeaseState.ACTIVE and self.task.state is TaskState.OPEN:
            self.task = lifecycle.heartbeat(self.task, lease.id, self.now + TERM_S)
            return
        with pytest.raises(LeaseNotHeld):
            lifecycle.heartbeat(self.task, lease.id, self.now + TERM_S)

    @precondition(lambda self: self.task.leases)
    @rule(data=st.data(), failed=st.booleans())
    def give_up(self, data: st.DataObject, failed: bool) -> None:
        lease = data.draw(st.sampled_from(self.task.leases))
        before = self.task
        self.task = lifecycle.give_up(before, lease.id, self.now, failed=failed)
        if lease.state is not LeaseState.ACTIVE:
            assert self.task == before

    @precondition(lambda self: any(lease.state is LeaseState.EXPIRED for lease in self.task.leases))
    @rule()
    def come_too_late(self) -> None:
        """Send a picture when others have failed all that was left to try."""
        late = next(lease for lease in self.task.leases if lease.state is LeaseState.EXPIRED)
        for machine in range(1, 6):
            self.claim(machine)
            self.task = lifecycle.give_up(self.task, self.task.leases[-1].id, self.now, failed=True)
        self._send(late, self.mood[0])

    @precondition(lambda self: self.task.leases)
    @rule(data=st.data())
    def submit(self, data: st.DataObject) -> None:
        self._send(data.draw(st.sampled_from(self.task.leases)), data.draw(st.sampled_from(self.mood)))

    def _send(self, lease: Lease, picture: str) -> None:
        result = self._result(lease, picture)
        sent = [result for result in self.task.results if result.lease_id == lease.id]
        has_more = any(result.verdict is not Verdict.INVALID for result in sent)
        is_past = lease.state is LeaseState.WITHDRAWN or lease.id <= self.task.past_lease
        if is_past:
            REACHED["picture of a past round"] += 1
            with pytest.raises(LeaseNotHeld):
                lifecycle.submit(self.task, result, self.now)
            return
        if has_more or len(sent) >= lifecycle.RESULTS_OF_A_LEASE:
            REACHED["second picture on a lease" if has_more else "too many bad pictures"] += 1
            with pytest.raises(LeaseNotHeld):
                lifecycle.submit(self.task, result, self.now)
            return
        self._took(lease, lifecycle.submit(self.task, result, self.now))

    def _result(self, lease: Lease, picture: str) -> Result:
        """Return what an intake would make of a picture: compared with one of each party that may still win."""
        soundness = PICTURES[picture]
        is_bad = soundness is Soundness.UNDECODABLE
        rivals = () if is_bad else (r for r in self.task.results if r.verdict is not Verdict.INVALID)
        like = next((rival.party for rival in rivals if rival.digest[0] == picture), None)
        digest = f"{picture}{len(self.task.results)}"
        return Result(ResultId(0), lease.id, lease.machine_id, lease.account_id, digest, self.now, like,
                      Verdict.INVALID if is_bad else Verdict.PENDING, soundness,
                      "Unreadable." if is_bad else "")  # fmt: skip

    def _took(self, lease: Lease, after: Task) -> None:
        results = tuple(replace(result, id=ResultId(n)) for n, result in enumerate(after.results, 1))
        self.task = replace(after, results=results)
        newest = results[-1]
        if lease.state is not LeaseState.ACTIVE:
            self.were_late.add(lease.id)
            REACHED[f"late {newest.verdict}"] += 1
        if newest.verdict is Verdict.VALID and newest.is_doubtful:
            REACHED["blank agreed"] += 1
        if self.task.state is TaskState.FAILED and newest.verdict is Verdict.VALID:
            REACHED["valid after failure"] += 1

    @precondition(lambda self: self.task.results)
    @rule(data=st.data())
    def submit_again(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(self.task.results))
        again = replace(known, id=ResultId(0), verdict=Verdict.PENDING, submitted_at=self.now)
        assert lifecycle.submit(self.task, again, self.now) == self.task
        REACHED["same bytes again"] += 1

    @precondition(lambda self: len(self.task.leases) > 3)
    @rule()
    def cancel(self) -> None:
        before = self.task
        self.task = lifecycle.cancel(before, self.now)
        if before.state is not TaskState.OPEN:
            assert self.task == before

    @precondition(lambda self: self.task.state in {TaskState.DONE, TaskState.FAILED})
    @rule()
    def render_again(self) -> None:
        before = self.task
        self.task = lifecycle.reopen(before, self.now)
        self.ended = None
        assert lifecycle.openings(self.task) == self.task.quorum
        assert self.task.results == before.results
        assert lifecycle.reopen(self.task, self.now) == self.task
        assert lifecycle.picture_of(self.task) == next(
            (result for result in reversed(before.results) if result.verdict is Verdict.VALID), None)
        REACHED["rendered again"] += 1

    def _valid(self) -> list[Result]:
        """Return the valid results since the task was opened, or opened anew."""
        present = [result for result in self.task.results if result.lease_id > self.task.past_lease]
        return [result for result in present if result.verdict is Verdict.VALID]

    @rule(seconds=st.sampled_from([1, TERM_S - 1, TERM_S]), with_upkeep=st.booleans())
    def wait(self, seconds: int, with_upkeep: bool) -> None:
        self.now += seconds
        if with_upkeep:
            self.task = lifecycle.transition(self.task, self.now)

    @invariant()
    def transition_leaves_nothing_to_do(self) -> None:
        after = lifecycle.transition(self.task, self.now)
        assert lifecycle.transition(after, self.now) == after
        active = [lease for lease in after.leases if lease.state is LeaseState.ACTIVE]
        assert all(lease.deadline_at > self.now for lease in active)
        if after.state is TaskState.OPEN:
            assert lifecycle.openings(after) > 0 or active
        else:
            assert lifecycle.openings(after) == 0
            assert active or not any(result.verdict is Verdict.PENDING for result in after.results)

    @invariant()
    def openings_never_ask_for_more_than_the_quorum(self) -> None:
        active = sum(lease.state is LeaseState.ACTIVE for lease in self.task.leases)
        assert 0 <= lifecycle.openings(self.task) <= max(0, self.task.quorum - active)

    @invariant()
    def nobody_holds_two_leases(self) -> None:
        holders = [lease.machine_id for lease in self.task.leases if lease.state is LeaseState.ACTIVE]
        assert len(set(holders)) == len(holders) <= self.task.quorum

    @invariant()
    def ends_and_verdicts_are_final(self) -> None:
        if self.ended is not None:
            assert self.task.state is self.ended
        elif self.task.state is not TaskState.OPEN:
            self.ended = self.task.state
            REACHED[self.ended] += 1
        for result in self.task.results:
            known = self.verdicts.get(result.id, Verdict.PENDING)
            assert known in {Verdict.PENDING, result.verdict}
            self.verdicts[result.id] = result.verdict

    @invariant()
    def done_means_that_a_result_is_valid(self) -> None:
        valid = self._valid()
        if self.task.state in {TaskState.OPEN, TaskState.DONE}:
            assert bool(valid) == (self.task.state is TaskState.DONE)
        if self.task.state is not TaskState.CANCELED and valid:
            assert len({result.machine_id for result in valid}) >= self.task.quorum
        if valid and all(result.is_doubtful for result in valid):
            assert len({result.account_id for result in valid}) > 1

    @invariant()
    def all_valid_results_show_one_picture(self) -> None:
        assert len({result.digest[0] for result in self._valid()}) <= 1

    @invariant()
    def an_invalid_result_is_told_why(self) -> None:
        assert all(bool(r.reason) == (r.verdict is Verdict.INVALID) for r in self.task.results)

    @invariant()
    def a_lease_is_submitted_exactly_when_it_has_a_result(self) -> None:
        with_results = {result.lease_id for result in self.task.results}
        assert with_results == {lease.id for lease in self.task.leases if lease.state is LeaseState.SUBMITTED}

    @invariant()
    def attempts_are_bounded(self) -> None:
        failed = {lease.id for lease in self.task.leases if lease.state is LeaseState.FAILED}
        invalid = {result.lease_id for result in self.task.results if result.verdict is Verdict.INVALID}
        present = {lease_id for lease_id in failed | invalid if lease_id > self.task.past_lease}
        assert len(present - self.were_late) < self.task.max_attempts + self.task.quorum


def _newest(lease: Lease) -> int:
    return lease.id


@cache
def reached() -> Counter[str]:
    """Run all lives, the same at each run, and count what they came to."""
    REACHED.clear()
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=350, stateful_step_count=30, derandomize=True, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    return REACHED


def test_a_task_keeps_its_laws_whatever_happens():
    assert reached().total() > 0


@pytest.mark.parametrize(
    ("what", "at_least"),
    [
        (TaskState.DONE, 60),
        (TaskState.FAILED, 30),
        (TaskState.CANCELED, 15),
        ("late valid", 15),
        ("late invalid", 40),
        ("late pending", 10),
        ("blank agreed", 15),
        ("valid after failure", 2),
        ("same bytes again", 100),
        ("second picture on a lease", 100),
        ("rendered again", 60),
        ("picture of a past round", 60),
    ],
)
def test_the_lives_came_to_all_ends(what: str, at_least: int):
    assert reached()[what] >= at_least, reached()
