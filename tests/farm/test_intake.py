"""Intake: what machines send is kept, inspected, compared, judged and paid."""

import pytest
from tests.conftest import HEIGHT, TERM_S, WIDTH, World, anew, balances, blank, in_threads, picture

from sheepfold.blobs.spool import Digest
from sheepfold.farm.browse import open_picture, story, view_job
from sheepfold.farm.dispatch import held_lease, open_blob
from sheepfold.farm.intake import submit_result
from sheepfold.farm.orders import cancel_job
from sheepfold.farm.owner import PAUSE, RESUME, change_machine
from sheepfold.farm.repeating import render_again
from sheepfold.farm.upkeep import expire_leases
from sheepfold.model.errors import Forbidden, LeaseNotHeld, MachineSuspended, UnknownBlob
from sheepfold.model.events import What
from sheepfold.model.jobs import JobState, Terms
from sheepfold.model.lifecycle import RESULTS_OF_A_LEASE
from sheepfold.model.tasks import LeaseState, Soundness, TaskState, Verdict
from sheepfold.model.trust import INVALID_IN_A_ROW
from sheepfold.store.claim import BLANK_PAUSE_S

PAIR = Terms(quorum=2)


def paid(world: World) -> dict[str, int]:
    return {name: sum_ for name, sum_ in balances(world.farm).items() if sum_}


def rows_paid(world: World) -> int:
    from sqlalchemy import text

    return world.farm.db.read(lambda tx: tx.execute(text("SELECT count(*) FROM ledger")).scalar_one())


def test_a_sound_picture_is_valid_paid_and_shown(world: World):
    job = world.order()
    held = world.held(world.maker("box"))
    receipt = world.send(held, picture())
    assert (receipt.verdict, receipt.soundness, receipt.reason, receipt.task_state) == (
        Verdict.VALID, Soundness.SOUND, "", TaskState.DONE
    )  # fmt: skip
    view = view_job(world.farm, job.id)
    assert (view.job.state, view.job.progress.done) == (JobState.DONE, 1)
    assert paid(world) == {"box-owner": world.task(held.task_id).cost_ms}
    media_type, shown = open_picture(world.farm, held.task_id)
    assert (media_type, b"".join(shown.chunks), shown.size_bytes) == ("image/png", picture(), len(picture()))
    assert world.findings() == []


def test_a_result_is_told_of_in_order(world: World):
    world.order()
    held = world.held(world.maker("box"))
    receipt = world.send(held, picture())
    told = story(world.farm, held.task_id)
    assert [event.what for event in told.events] == [
        What.LEASE_GRANTED, What.RESULT_SUBMITTED, What.RESULT_VALID, What.CREDIT_EARNED, What.TASK_DONE
    ]  # fmt: skip
    assert told.events[1].detail["digest"] == receipt.digest
    assert told.leases[0].figures == {"seconds": 1}
    result = told.task.results[0]
    assert (result.media_type, result.width, result.height) == ("image/png", WIDTH, HEIGHT)


def test_the_same_bytes_again_get_the_same_receipt_and_no_more_credit(world: World):
    world.order()
    held = world.held(world.maker("box"))
    receipts = {world.send(held, picture()) for _ in range(3)}
    assert len(receipts) == 1
    assert rows_paid(world) == 1
    assert world.findings() == []


def test_the_same_bytes_at_many_doors_are_one_result(world: World):
    world.order()
    held = world.held(world.maker("box"))
    receipts = in_threads(5, lambda _: world.send(held, picture()))
    assert len(set(receipts)) == 1
    assert rows_paid(world) == 1
    assert len(world.task(held.task_id).results) == 1
    assert world.findings() == []


def test_another_picture_on_the_same_lease_is_refused(world: World):
    world.order()
    held = world.held(world.maker("box"))
    world.send(held, picture(1))
    with pytest.raises(LeaseNotHeld, match="has its result already"):
        world.send(held, picture(2))
    assert [result.verdict for result in world.task(held.task_id).results] == [Verdict.VALID]
    assert world.findings() == []


def test_a_picture_after_the_deadline_is_paid(world: World):
    job = world.order()
    held = world.held(world.maker("box"))
    world.clock.advance(TERM_S + 5)
    expire_leases(world.farm)
    receipt = world.send(held, picture())
    assert (receipt.verdict, receipt.task_state) == (Verdict.VALID, TaskState.DONE)
    assert view_job(world.farm, job.id).job.state is JobState.DONE
    assert "box-owner" in paid(world)
    assert world.findings() == []


@pytest.mark.parametrize("quorum", [1, 2])
def test_a_machine_is_paid_once_for_a_frame_however_often_it_leased_it(world: World, quorum: int):
    world.order(terms=Terms(quorum=quorum))
    box, leases = world.maker("box"), []
    for _ in range(4):
        leases.append(world.held(box))
        world.clock.advance(TERM_S + 5)
        expire_leases(world.farm)
    for held in leases[:2]:
        assert world.send(held, picture()).verdict is (Verdict.VALID if quorum == 1 else Verdict.PENDING)
    if quorum == 2:
        world.send(world.held(world.maker("other")), picture())
    for held in leases[2:]:
        assert world.send(held, picture()).verdict is Verdict.VALID
    assert rows_paid(world) == quorum
    assert world.findings() == []


def test_a_machine_that_sends_a_blank_picture_again_is_paid_for_one_when_it_is_confirmed(world: World):
    world.order()
    box = world.maker("box")
    for _ in range(2):
        world.send(world.held(box), blank())
        world.clock.advance(BLANK_PAUSE_S)
    held = world.held(world.maker("other"))
    assert world.send(held, blank()).verdict is Verdict.VALID
    assert [result.verdict for result in world.task(held.task_id).results] == [Verdict.VALID] * 3
    assert rows_paid(world) == 2
    assert world.findings() == []


def test_a_machine_is_paid_anew_for_a_frame_that_is_rendered_anew(world: World):
    job, box = world.order(), world.maker("box")
    world.send(world.held(box), picture())
    render_again(world.farm, world.account("ann"), job.id, 0)
    world.send(world.held(box), picture())
    assert rows_paid(world) == 2
    assert world.findings() == []


def test_a_picture_after_the_deadline_counts_even_when_upkeep_is_late(world: World):
    world.order()
    held = world.held(world.maker("box"))
    world.clock.advance(TERM_S + 5)
    assert world.send(held, picture()).verdict is Verdict.VALID
    assert world.findings() == []


@pytest.mark.parametrize(("seed", "verdict"), [(1, Verdict.VALID), (2, Verdict.INVALID)])
def test_a_late_picture_is_judged_by_the_one_that_came_first(world: World, seed: int, verdict: Verdict):
    world.order()
    late = world.held(world.maker("late"))
    world.clock.advance(TERM_S)
    expire_leases(world.farm)
    world.send(world.held(world.maker("quick")), picture(1))
    receipt = world.send(late, anew(picture(seed)))
    assert (receipt.verdict, receipt.task_state) == (verdict, TaskState.DONE)
    assert ("late-owner" in paid(world)) is (verdict is Verdict.VALID)
    assert world.findings() == []


def test_a_first_picture_that_is_gone_keeps_no_task_from_its_end(world: World):
    job = world.order(terms=PAIR)
    held = [world.held(world.maker(f"box{number}")) for number in range(2)]
    lost = world.send(held[0], picture(1))
    world.farm.blobs.delete(Digest(lost.digest))
    assert world.send(held[1], anew(picture(1))).verdict is Verdict.PENDING
    assert world.send(world.held(world.maker("box2")), picture(1)).verdict is Verdict.VALID
    assert view_job(world.farm, job.id).job.state is JobState.DONE
    assert world.findings() == []


def test_a_late_picture_is_not_judged_by_one_that_is_gone(world: World):
    world.order()
    late = world.held(world.maker("late"))
    world.clock.advance(TERM_S)
    expire_leases(world.farm)
    lost = world.send(world.held(world.maker("quick")), picture(1))
    world.farm.blobs.delete(Digest(lost.digest))
    with pytest.raises(UnknownBlob):
        world.send(late, anew(picture(1)))
    assert len(world.task(late.task_id).results) == 1


@pytest.mark.parametrize(
    ("body", "soundness"),
    [
        (picture(size=(WIDTH + 1, HEIGHT)), Soundness.WRONG_SIZE),
        (picture()[:-200], Soundness.UNDECODABLE),
        (b"<html>out of disk</html>", Soundness.UNDECODABLE),
        (b"", Soundness.UNDECODABLE),
    ],
    ids=["wrong size", "cut short", "a page", "empty"],
)
def test_what_is_no_such_picture_is_invalid_and_the_task_opens_again(world: World, body: bytes, soundness: Soundness):
    world.order()
    held = world.held(world.maker("box"))
    receipt = world.send(held, body)
    assert (receipt.verdict, receipt.soundness, receipt.task_state) == (Verdict.INVALID, soundness, TaskState.OPEN)
    assert receipt.reason
    assert paid(world) == {}
    with pytest.raises(UnknownBlob):
        open_picture(world.farm, held.task_id)
    assert world.held(world.maker("other")).task_id == held.task_id
    assert world.findings() == []


def test_a_bad_picture_may_be_made_good_on_its_lease(world: World):
    world.order()
    held = world.held(world.maker("box"))
    world.send(held, b"oops")
    assert world.send(held, picture()).verdict is Verdict.VALID
    assert world.findings() == []


def test_a_task_fails_with_its_job_when_its_attempts_are_used_up(world: World):
    job = world.flame(frames=2)
    for machine in ("box", "other", "third", "fourth", "fifth"):
        world.send(world.held(world.maker(machine)), b"oops")
    view = view_job(world.farm, job.id)
    assert [task.state for task in view.tasks] == [TaskState.FAILED, TaskState.OPEN]
    world.make_all(world.maker("sixth"))
    assert view_job(world.farm, job.id).job.state is JobState.FAILED
    assert world.findings() == []


def test_machines_that_agree_are_both_paid(world: World):
    world.order(terms=PAIR)
    first, second = world.held(world.maker("box")), world.held(world.maker("other"))
    waiting = world.send(first, picture())
    assert (waiting.verdict, waiting.task_state) == (Verdict.PENDING, TaskState.OPEN)
    assert paid(world) == {}
    assert world.send(second, anew(picture())).verdict is Verdict.VALID
    assert set(paid(world)) == {"box-owner", "other-owner"}
    assert world.findings() == []


def test_machines_that_disagree_wait_for_a_third(world: World):
    world.order(terms=PAIR)
    first, second = world.held(world.maker("box")), world.held(world.maker("other"))
    world.send(first, picture(1))
    assert world.send(second, picture(2)).verdict is Verdict.PENDING
    assert world.claim(world.maker("box")) is None
    third = world.held(world.maker("third"))
    assert world.send(third, anew(picture(2))).verdict is Verdict.VALID
    assert set(paid(world)) == {"other-owner", "third-owner"}
    loser = world.task(first.task_id).results[0]
    assert (loser.verdict, loser.reason) == (Verdict.INVALID, "It differs from what other machines made.")
    assert world.findings() == []


def test_machines_that_send_at_once_are_compared_with_each_other(world: World):
    world.order(terms=Terms(quorum=3))
    held = [world.held(world.maker(f"box-{n}")) for n in range(3)]
    bodies = [picture(), anew(picture()), picture()]
    in_threads(3, lambda n: world.send(held[n], bodies[n]))
    task = world.task(held[0].task_id)
    assert (task.state, {result.verdict for result in task.results}) == (TaskState.DONE, {Verdict.VALID})
    assert rows_paid(world) == 3
    assert world.findings() == []


def test_one_blank_picture_is_not_enough(world: World):
    world.order()
    held = world.held(world.maker("box"))
    receipt = world.send(held, blank())
    assert (receipt.verdict, receipt.soundness, receipt.task_state) == (
        Verdict.PENDING, Soundness.BLANK, TaskState.OPEN
    )  # fmt: skip
    assert world.held(world.maker("other")).task_id == held.task_id
    assert world.findings() == []


def test_a_blank_picture_of_another_account_confirms_it(world: World):
    world.order()
    world.send(world.held(world.maker("box")), blank())
    receipt = world.send(world.held(world.maker("other")), blank())
    assert (receipt.verdict, receipt.task_state) == (Verdict.VALID, TaskState.DONE)
    assert set(paid(world)) == {"box-owner", "other-owner"}
    assert world.findings() == []


def test_a_blank_picture_of_the_same_account_does_not(world: World):
    world.order()
    for machine in ("box", "other"):
        receipt = world.send(world.held(world.maker(machine, account="vera")), blank())
        assert (receipt.verdict, receipt.task_state) == (Verdict.PENDING, TaskState.OPEN)
    assert paid(world) == {}
    assert world.findings() == []


def test_a_picture_beats_a_blank_one(world: World):
    world.order()
    held = world.held(world.maker("box"))
    world.send(held, blank())
    world.send(world.held(world.maker("other")), picture())
    assert [result.verdict for result in world.task(held.task_id).results] == [Verdict.INVALID, Verdict.VALID]
    assert set(paid(world)) == {"other-owner"}
    assert world.findings() == []


def test_whoever_made_a_blank_picture_leaves_it_to_others_for_a_while(world: World):
    world.order(frames=2)
    box = world.maker("box")
    held = world.held(box)
    world.send(held, blank(0, (WIDTH + world.task(held.task_id).frame, HEIGHT)))
    assert world.held(box).task_id != held.task_id
    assert world.claim(box) is None
    world.clock.advance(BLANK_PAUSE_S)
    assert world.held(box).task_id == held.task_id  # nobody else wants it


def test_an_animation_that_begins_black_suspends_no_machine_of_a_farm_of_one(world: World):
    job = world.order(frames=INVALID_IN_A_ROW + 1)
    box = world.maker("box", "ann")
    while view_job(world.farm, job.id).job.state is JobState.RUNNING:
        while (assignment := world.claim(box)) is not None:  # or it raises MachineSuspended
            black = blank(0, (WIDTH + assignment.frame, HEIGHT))
            world.send(held_lease(world.farm, box, assignment.lease_id), black)
        world.clock.advance(BLANK_PAUSE_S)
    assert view_job(world.farm, job.id).job.progress.failed == INVALID_IN_A_ROW + 1
    assert world.findings() == []


def test_orders_that_are_canceled_suspend_nobody_whose_picture_was_blank(world: World):
    box = world.maker("box")
    for _ in range(INVALID_IN_A_ROW + 1):
        job = world.order()
        world.send(world.held(box), blank())
        cancel_job(world.farm, world.account("ann"), job.id)
    assert world.findings() == []


def test_a_blank_picture_is_good_where_the_job_allows_it(world: World):
    world.order(allow_blank=True)
    assert world.send(world.held(world.maker("box")), blank()).verdict is Verdict.VALID


def test_a_machine_that_sends_nothing_but_rubbish_is_suspended_and_the_others_work_on(world: World):
    world.order(frames=INVALID_IN_A_ROW + 1, terms=Terms(max_attempts=50))
    box = world.maker("box")
    for _ in range(INVALID_IN_A_ROW):
        world.send(world.held(box), b"rubbish")
    with pytest.raises(MachineSuspended):
        world.claim(box)
    assert world.claim(world.maker("other")) is not None
    assert world.findings() == []


def test_a_quarantine_is_later_than_a_pause_at_the_same_moment(world: World):
    world.order(frames=INVALID_IN_A_ROW, terms=Terms(max_attempts=50))
    box, owner = world.maker("box"), world.account("box-owner")
    for _ in range(INVALID_IN_A_ROW - 1):
        world.send(world.held(box), b"rubbish")
    last = world.held(box)
    change_machine(world.farm, owner, "box", PAUSE)
    world.send(last, b"rubbish")
    with pytest.raises(Forbidden):
        change_machine(world.farm, owner, "box", RESUME)


def test_a_good_picture_in_between_clears_a_machines_name(world: World):
    world.order(frames=INVALID_IN_A_ROW, terms=Terms(max_attempts=50))
    box = world.maker("box")
    for _ in range(INVALID_IN_A_ROW - 1):
        world.send(world.held(box), b"rubbish")
    good = world.held(box)
    world.send(good, picture(size=(WIDTH + good.task_id - 1, HEIGHT)))
    world.send(world.held(box), b"rubbish")
    assert world.claim(box) is not None


def test_a_result_after_the_lease_was_given_up_is_taken(world: World):
    from sheepfold.farm.dispatch import give_up

    world.order()
    held = world.held(world.maker("box"))
    give_up(world.farm, held, "", failed=False)
    assert world.send(held, picture()).verdict is Verdict.VALID
    assert world.task(held.task_id).leases[0].state is LeaseState.SUBMITTED
    assert world.findings() == []


def test_bytes_are_kept_before_they_are_judged(world: World):
    world.order()
    held = world.held(world.maker("box"))
    receipt = world.send(held, b"rubbish")
    assert b"".join(open_blob(world.farm, receipt.digest).chunks) == b"rubbish"


def test_the_upload_stays_its_endpoints_to_discard(world: World):
    world.order()
    held = world.held(world.maker("box"))
    spooled = world.uploaded(picture())
    submit_result(world.farm, held, spooled)
    assert spooled.path.exists()
    spooled.discard()
    assert list(world.farm.spool_folder.iterdir()) == []


def test_a_machine_is_suspended_by_leases_that_went_wrong_and_not_by_one_that_was_flooded(world: World):
    world.order(frames=6)
    box = world.maker("box")
    held = world.held(box)
    for number in range(RESULTS_OF_A_LEASE):
        assert world.send(held, b"no picture %d" % number).verdict is Verdict.INVALID
    with pytest.raises(LeaseNotHeld, match="bad results"):
        world.send(held, b"one more")
    for _ in range(INVALID_IN_A_ROW - 1):
        held = world.held(box)
        world.send(held, b"no picture of %d" % held.task_id)
    with pytest.raises(MachineSuspended):
        world.claim(box)
    assert world.findings() == []
