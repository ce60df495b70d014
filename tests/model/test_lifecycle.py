"""The life of a task, one rule at a time; `tests/laws` drives all of them together."""

from dataclasses import replace

import pytest

from sheepfold.model.accounts import AccountId
from sheepfold.model.errors import LeaseNotHeld, UnknownLease
from sheepfold.model.jobs import JobId
from sheepfold.model.lifecycle import (
    RESULTS_OF_A_LEASE,
    cancel,
    give_up,
    grant,
    heartbeat,
    lease_of,
    may_take,
    openings,
    submit,
    transition,
    withdraw,
)
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

NOW = 1000
TERM_S = 600
FAR = 10**9


def task(quorum: int = 1, max_attempts: int = 5) -> Task:
    return Task(TaskId(1), JobId(1000), 0, 0, TaskState.OPEN, quorum, max_attempts)


def leased(to: Task, machine: int, account: int = 0, at: int = NOW) -> Task:
    """Grant the next lease to a machine, of an account of its own unless one is named."""
    lease_id = LeaseId(len(to.leases) + 1)
    account_id = AccountId(account or machine)
    return grant(to, Lease(lease_id, MachineId(machine), account_id, LeaseState.ACTIVE, at, at + TERM_S))


def sent(to: Task, lease_id: int, picture: str = "a", soundness: Soundness = Soundness.SOUND, at: int = NOW) -> Task:
    """Submit a picture for a lease; equal first letters are alike, as a comparison would find."""
    lease = lease_of(to, LeaseId(lease_id))
    is_bad = soundness in {Soundness.UNDECODABLE, Soundness.WRONG_SIZE}
    candidates = [] if is_bad else [known for known in to.results if known.verdict is not Verdict.INVALID]
    like = next((known.party for known in candidates if known.digest[0] == picture[0]), None)
    verdict = Verdict.INVALID if is_bad else Verdict.PENDING
    result = Result(ResultId(0), lease.id, lease.machine_id, lease.account_id, picture, at, like, verdict, soundness)
    return numbered(submit(to, result, at))


def numbered(one: Task) -> Task:
    """Give new results their ids, as storing them does."""
    results = tuple(replace(r, id=ResultId(n)) for n, r in enumerate(one.results, 1))
    return replace(one, results=results)


def verdicts(of: Task) -> list[str]:
    return [result.verdict.value for result in of.results]


def states(of: Task) -> list[str]:
    return [lease.state.value for lease in of.leases]


def test_a_new_task_has_as_many_openings_as_its_quorum():
    assert openings(task()) == 1
    assert openings(task(quorum=3)) == 3


def test_a_lease_takes_an_opening():
    assert openings(leased(task(quorum=2), 1)) == 1


def test_a_machine_takes_a_task_once_at_a_time():
    held = leased(task(quorum=2), 1)
    assert not may_take(held, MachineId(1))
    assert may_take(held, MachineId(2))
    with pytest.raises(LeaseNotHeld, match="no opening for machine 1"):
        leased(held, 1)


def test_a_machine_does_not_confirm_itself():
    waiting = sent(leased(task(quorum=2), 1), 1)
    assert openings(waiting) == 1
    assert not may_take(waiting, MachineId(1))


def test_a_sound_result_is_valid_and_the_task_done():
    done = sent(leased(task(), 1), 1)
    assert (done.state, verdicts(done), states(done)) == (TaskState.DONE, ["valid"], ["submitted"])
    assert openings(done) == 0
    assert not may_take(done, MachineId(2))


def test_the_same_bytes_again_change_nothing():
    done = sent(leased(task(), 1), 1)
    assert sent(done, 1, at=NOW + 5) == done


def test_another_picture_on_a_lease_that_has_one_is_refused():
    done = sent(leased(task(), 1), 1)
    with pytest.raises(LeaseNotHeld, match="has its result already"):
        sent(done, 1, "b")


def test_an_invalid_result_reopens_the_task_and_may_be_made_good_on_its_lease():
    broken = sent(leased(task(), 1), 1, "x", Soundness.UNDECODABLE)
    assert (broken.state, openings(broken), verdicts(broken)) == (TaskState.OPEN, 1, ["invalid"])
    assert sent(broken, 1, "a").state is TaskState.DONE


def test_a_result_after_the_deadline_is_valid():
    late = transition(leased(task(), 1), NOW + TERM_S)
    assert states(late) == ["expired"]
    done = sent(late, 1, at=NOW + TERM_S + 100)
    assert (done.state, verdicts(done), states(done)) == (TaskState.DONE, ["valid"], ["submitted"])


def test_a_late_result_like_the_winner_is_valid_too():
    late = transition(leased(task(), 1), NOW + TERM_S)
    done = sent(leased(late, 2, at=NOW + TERM_S), 2, "a1")
    assert verdicts(sent(done, 1, "a2", at=FAR)) == ["valid", "valid"]


def test_a_late_result_unlike_the_winner_is_invalid_with_a_reason():
    late = transition(leased(task(), 1), NOW + TERM_S)
    done = sent(leased(late, 2, at=NOW + TERM_S), 2, "a")
    judged = sent(done, 1, "b", at=FAR)
    assert (judged.state, verdicts(judged)) == (TaskState.DONE, ["valid", "invalid"])
    assert "differs" in judged.results[1].reason


def test_an_expired_lease_uses_no_attempt_up():
    one = task(max_attempts=1)
    for round_ in range(10):
        one = transition(leased(one, 1, at=NOW + round_ * TERM_S), NOW + (round_ + 1) * TERM_S)
    assert (one.state, openings(one)) == (TaskState.OPEN, 1)


def test_a_released_lease_uses_no_attempt_up():
    one = give_up(leased(task(max_attempts=1), 1), LeaseId(1), NOW, failed=False)
    assert (one.state, openings(one), states(one)) == (TaskState.OPEN, 1, ["released"])


def test_a_failed_lease_uses_an_attempt_up():
    one = give_up(leased(task(max_attempts=1), 1), LeaseId(1), NOW, failed=True)
    assert (one.state, openings(one), states(one)) == (TaskState.FAILED, 0, ["failed"])


def test_giving_up_twice_changes_nothing():
    one = give_up(leased(task(), 1), LeaseId(1), NOW, failed=True)
    assert give_up(one, LeaseId(1), NOW + 5, failed=False) is one


def test_a_task_whose_attempts_are_used_up_waits_for_who_still_works():
    one = leased(leased(task(quorum=2, max_attempts=1), 1), 2)
    one = give_up(one, LeaseId(1), NOW, failed=True)
    assert (one.state, openings(one)) == (TaskState.OPEN, 0)
    assert give_up(one, LeaseId(2), NOW, failed=True).state is TaskState.FAILED


def test_a_failed_task_pays_a_late_result_but_stays_failed():
    one = transition(leased(task(max_attempts=1), 1), NOW + TERM_S)
    one = give_up(leased(one, 2, at=NOW + TERM_S), LeaseId(2), NOW + TERM_S, failed=True)
    judged = sent(one, 1, at=FAR)
    assert (judged.state, verdicts(judged)) == (TaskState.FAILED, ["valid"])


def test_two_agreeing_machines_make_a_quorum():
    one = sent(leased(leased(task(quorum=2), 1), 2), 1, "a1")
    assert (one.state, verdicts(one)) == (TaskState.OPEN, ["pending"])
    one = sent(one, 2, "a2")
    assert (one.state, verdicts(one)) == (TaskState.DONE, ["valid", "valid"])


def test_two_results_of_one_machine_are_one_voice():
    one = transition(leased(task(quorum=2), 1), NOW + TERM_S)
    one = sent(leased(one, 1, at=NOW + TERM_S), 2, "a1", at=NOW + TERM_S)
    one = sent(one, 1, "a2", at=NOW + TERM_S)
    assert (one.state, verdicts(one), openings(one)) == (TaskState.OPEN, ["pending", "pending"], 1)


def test_a_late_twin_of_ones_own_result_uses_no_attempt_up():
    one = transition(leased(task(quorum=2, max_attempts=1), 1), NOW + TERM_S)
    one = sent(leased(one, 1, at=NOW + TERM_S), 2, "a1", at=NOW + TERM_S)
    one = sent(one, 1, "a2", at=NOW + TERM_S)
    assert (one.state, openings(one)) == (TaskState.OPEN, 1)


def test_dissent_asks_one_machine_more_and_the_minority_loses():
    one = sent(sent(leased(leased(task(quorum=2), 1), 2), 1, "a1"), 2, "b1")
    assert (verdicts(one), openings(one)) == (["pending", "pending"], 1)
    one = sent(leased(one, 3), 3, "b2")
    assert (one.state, verdicts(one)) == (TaskState.DONE, ["invalid", "valid", "valid"])


def test_endless_dissent_fails_the_task_and_everybody_loses():
    one = task(quorum=2, max_attempts=2)
    for machine, picture in enumerate("abc", 1):
        one = sent(leased(one, machine), machine, picture)
    assert (one.state, verdicts(one)) == (TaskState.FAILED, ["invalid"] * 3)
    assert "No other machine" in one.results[0].reason


def test_one_blank_picture_opens_the_task_again():
    one = sent(leased(task(), 1), 1, "k", Soundness.BLANK)
    assert (one.state, verdicts(one), openings(one)) == (TaskState.OPEN, ["pending"], 1)


def test_a_blank_picture_of_another_account_confirms_the_first():
    one = sent(leased(task(), 1), 1, "k1", Soundness.BLANK)
    one = sent(leased(one, 2), 2, "k2", Soundness.BLANK)
    assert (one.state, verdicts(one)) == (TaskState.DONE, ["valid", "valid"])


def test_a_blank_picture_of_the_same_account_confirms_nothing():
    one = sent(leased(task(), 1, account=9), 1, "k1", Soundness.BLANK)
    one = sent(leased(one, 2, account=9), 2, "k2", Soundness.BLANK)
    assert (one.state, verdicts(one)) == (TaskState.OPEN, ["pending", "pending"])


def test_a_sound_picture_beats_a_blank_one():
    one = sent(leased(task(), 1), 1, "k", Soundness.BLANK)
    one = sent(leased(one, 2), 2, "a")
    assert (one.state, verdicts(one)) == (TaskState.DONE, ["invalid", "valid"])


def test_a_machine_that_sends_nothing_but_blanks_ends_the_task():
    one = task(max_attempts=3)
    for attempt in range(1, 4):
        one = sent(leased(one, 1), attempt, f"k{attempt}", Soundness.BLANK)
    assert (one.state, verdicts(one)) == (TaskState.FAILED, ["invalid"] * 3)


def test_a_canceled_task_has_no_openings_and_pays_what_is_being_rendered():
    one = cancel(leased(task(), 1), NOW)
    assert (one.state, openings(one), states(one)) == (TaskState.CANCELED, 0, ["active"])
    judged = sent(one, 1)
    assert (judged.state, verdicts(judged)) == (TaskState.CANCELED, ["valid"])


def test_canceling_pays_a_result_that_waited_for_a_quorum():
    one = cancel(sent(leased(task(quorum=3), 1), 1), NOW)
    assert (one.state, verdicts(one)) == (TaskState.CANCELED, ["valid"])


def test_a_blank_result_of_a_canceled_task_is_not_left_waiting():
    one = cancel(leased(sent(leased(task(), 1), 1, "k", Soundness.BLANK), 2), NOW)
    assert verdicts(one) == ["pending"]  # machine 2 may still confirm it
    assert verdicts(transition(one, NOW + TERM_S)) == ["invalid"]


def test_canceling_an_ended_task_changes_nothing():
    done = sent(leased(task(), 1), 1)
    assert cancel(done, NOW) is done


def test_a_heartbeat_moves_the_deadline_but_never_back():
    one = leased(task(), 1)
    assert heartbeat(one, LeaseId(1), FAR).leases[0].deadline_at == FAR
    assert heartbeat(one, LeaseId(1), NOW).leases[0].deadline_at == NOW + TERM_S


@pytest.mark.parametrize("ended", ["expired", "released", "submitted", "canceled"])
def test_a_heartbeat_after_the_end_is_refused(ended: str):
    one = leased(task(), 1)
    one = {
        "expired": lambda: transition(one, NOW + TERM_S),
        "released": lambda: give_up(one, LeaseId(1), NOW, failed=False),
        "submitted": lambda: sent(one, 1),
        "canceled": lambda: cancel(one, NOW),
    }[ended]()
    with pytest.raises(LeaseNotHeld):
        heartbeat(one, LeaseId(1), FAR)


def test_a_lease_ends_at_its_deadline_and_not_before():
    one = leased(task(), 1)
    assert states(transition(one, NOW + TERM_S - 1)) == ["active"]
    ended = transition(one, NOW + TERM_S)
    assert (states(ended), ended.leases[0].ended_at) == (["expired"], NOW + TERM_S)


def test_an_unknown_lease_is_named():
    with pytest.raises(UnknownLease, match="no lease 7"):
        lease_of(task(), LeaseId(7))


def test_one_lease_sends_a_few_bad_results_and_no_more():
    spoilt = leased(task(), 1)
    for number in range(RESULTS_OF_A_LEASE):
        spoilt = sent(spoilt, 1, f"bad{number}", Soundness.UNDECODABLE)
    assert (spoilt.state, openings(spoilt)) == (TaskState.OPEN, 1)  # all of them are one attempt
    with pytest.raises(LeaseNotHeld, match="bad results"):
        sent(spoilt, 1, "one more", Soundness.UNDECODABLE)


def test_a_withdrawn_lease_gives_its_opening_back_and_its_result_is_not_taken():
    held = leased(leased(task(quorum=2), 1), 2)
    withdrawn = withdraw(held, NOW + 1)
    assert (states(withdrawn), openings(withdrawn)) == (["withdrawn", "withdrawn"], 2)
    assert withdraw(withdrawn, NOW + 2) == withdrawn
    with pytest.raises(LeaseNotHeld, match="replaced"):
        sent(withdrawn, 1)
    assert may_take(withdrawn, MachineId(1))


def test_a_lease_that_ran_out_is_withdrawn_too_and_one_of_an_ended_task_is_not():
    late = transition(leased(task(), 1), NOW + TERM_S)
    assert (states(late), states(withdraw(late, FAR))) == (["expired"], ["withdrawn"])
    assert lease_of(withdraw(late, FAR), LeaseId(1)).ended_at == NOW + TERM_S
    done = sent(leased(task(), 1), 1)
    assert withdraw(done, FAR) == done
