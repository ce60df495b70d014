"""Dispatch: sessions, claims, heartbeats, and leases given back."""

from dataclasses import replace

import pytest
from tests.conftest import ABLE, TERM_S, World, picture

from sheepfold.farm.browse import story
from sheepfold.farm.dispatch import (
    claim_task,
    close_session,
    find_task,
    give_up,
    heartbeat,
    held_lease,
    lease_at,
    maker_named,
    open_session,
    read_input,
    session_of,
)
from sheepfold.farm.keeping import keep_log
from sheepfold.farm.orders import cancel_job
from sheepfold.farm.upkeep import expire_leases
from sheepfold.model.errors import (
    InvalidName,
    LeaseNotHeld,
    MachineSuspended,
    SessionEnded,
    UnknownBlob,
    UnknownLease,
    UnknownTask,
)
from sheepfold.model.events import What
from sheepfold.model.jobs import Terms
from sheepfold.model.matching import Abilities, Program
from sheepfold.model.tasks import LeaseId, LeaseState
from sheepfold.model.trust import UNPROVEN_SUSPENSION_S
from sheepfold.store import accounts as account_rows
from sheepfold.store.sessions import SEEN_GRAIN_S


def state_of(world: World, held) -> LeaseState:
    lease = next(lease for lease in world.task(held.task_id).leases if lease.id == held.lease_id)
    return lease.state


def test_a_claim_tells_all_that_a_machine_must_know(world: World):
    job = world.flame()
    assignment = world.claim(world.maker("box"))
    assert assignment is not None
    assert (assignment.job, assignment.frame, assignment.part) == (job, 0, 0)
    assert (assignment.term_s, assignment.deadline_at) == (TERM_S, world.clock.now + TERM_S)
    assert assignment.input is not None


def test_a_claim_is_told_of_with_its_machine_and_protocol(world: World):
    world.order()
    maker = world.maker("box", protocol="electricsheep")
    assignment = claim_task(world.farm, maker, ABLE, TERM_S, {"user_agent": "sheep/2.7"})
    told = story(world.farm, assignment.task_id)
    assert [event.what for event in told.events] == [What.LEASE_GRANTED]
    assert told.events[0].detail == {
        "lease": assignment.lease_id, "machine": maker.machine_id, "protocol": "electricsheep"
    }  # fmt: skip
    assert [(lease.machine, lease.account, lease.protocol, lease.figures) for lease in told.leases] == [
        ("box", "box-owner", "electricsheep", {"user_agent": "sheep/2.7"})
    ]


def test_a_machine_gets_only_what_it_is_able_to_do(world: World):
    world.order()
    maker = world.maker("box")
    unable = Abilities(frozenset({"screenshot"}), browsers=frozenset({Program("Opera", "12")}))
    assert world.claim(maker, unable) is None
    assert world.claim(maker) is not None


def test_an_order_of_new_needs_is_found_by_abilities_that_asked_before(world: World):
    maker = world.maker("box")
    assert world.claim(maker) is None
    world.order()
    assert world.claim(maker) is not None
    world.flame()
    assert world.claim(maker) is not None


def test_a_machine_that_holds_all_there_is_gets_nothing(world: World):
    world.order(terms=Terms(quorum=2))
    maker = world.maker("box")
    assert world.claim(maker) is not None
    assert world.claim(maker) is None


def test_a_foreign_lease_looks_like_none(world: World):
    world.order()
    box, other = world.maker("box"), world.maker("other")
    held = world.held(box)
    assert held_lease(world.farm, box, held.lease_id) == held
    told = set()
    for lease_id in (held.lease_id, held.lease_id + 1):
        with pytest.raises(UnknownLease) as refused:
            held_lease(world.farm, other, lease_id)
        told.add(str(refused.value).replace(str(lease_id), "N"))
    assert len(told) == 1


def test_a_lease_is_found_by_its_machine_and_its_tasks_place(world: World):
    place = (world.order().id, 0, 0)
    box = world.maker("box")
    first = world.held(box)
    assert lease_at(world.farm, box.machine_id, place).held == first
    world.clock.advance(TERM_S)
    expire_leases(world.farm)
    assert lease_at(world.farm, box.machine_id, place).held == first
    second = world.held(box)
    assert second.task_id == first.task_id
    assert lease_at(world.farm, box.machine_id, place).held == second
    assert lease_at(world.farm, box.machine_id, place, first.lease_id).held == first
    assert lease_at(world.farm, box.machine_id, place, LeaseId(999)).held == second
    with pytest.raises(UnknownLease):
        lease_at(world.farm, world.maker("other").machine_id, place)


def test_a_task_is_found_by_its_place(world: World):
    job = world.order(frames=2)
    assert find_task(world.farm, job.id, 1, 0) == find_task(world.farm, job.id, 0, 0) + 1
    for place in ((job.id, 2, 0), (job.id, 0, 1), (job.id + 1, 0, 0)):
        with pytest.raises(UnknownTask):
            find_task(world.farm, *place)


def test_a_heartbeat_moves_the_deadline(world: World):
    world.order()
    held = world.held(world.maker("box"))
    now = world.clock.advance(TERM_S - 1)
    assert heartbeat(world.farm, held, TERM_S, {"progress": 40}) == now + TERM_S
    world.clock.advance(TERM_S - 1)
    expire_leases(world.farm)
    assert state_of(world, held) is LeaseState.ACTIVE
    assert story(world.farm, held.task_id).leases[0].figures == {"progress": 40}


def test_figures_of_later_heartbeats_replace_earlier_ones(world: World):
    world.order()
    held = world.held(world.maker("box"))
    heartbeat(world.farm, held, TERM_S, {"progress": 40, "cores": 8})
    heartbeat(world.farm, held, TERM_S, {"progress": 50})
    assert story(world.farm, held.task_id).leases[0].figures == {"progress": 50, "cores": 8}


@pytest.mark.parametrize("with_upkeep", [True, False])
def test_a_heartbeat_after_the_deadline_is_refused(world: World, with_upkeep: bool):
    world.order()
    held = world.held(world.maker("box"))
    world.clock.advance(TERM_S)
    if with_upkeep:
        expire_leases(world.farm)
    with pytest.raises(LeaseNotHeld):
        heartbeat(world.farm, held, TERM_S)


def test_a_heartbeat_tells_a_machine_that_its_job_was_canceled(world: World):
    job = world.order()
    held = world.held(world.maker("box"))
    cancel_job(world.farm, world.account("ann"), job.id)
    with pytest.raises(LeaseNotHeld, match="canceled"):
        heartbeat(world.farm, held, TERM_S)


def test_a_heartbeat_tells_a_machine_that_others_have_finished(world: World):
    world.order()
    late = world.held(world.maker("late"))
    world.clock.advance(TERM_S)
    expire_leases(world.farm)
    world.send(world.held(world.maker("quick")), picture())
    with pytest.raises(LeaseNotHeld):
        heartbeat(world.farm, late, TERM_S)


def test_giving_up_opens_the_task_at_once(world: World):
    world.order()
    box, other = world.maker("box"), world.maker("other")
    held = world.held(box)
    assert world.claim(other) is None
    give_up(world.farm, held, "The owner came back.", failed=False)
    assert world.held(other).task_id == held.task_id
    told = story(world.farm, held.task_id)
    assert (told.leases[0].state, told.leases[0].reason) == ("released", "The owner came back.")
    released = next(event for event in told.events if event.what is What.LEASE_RELEASED)
    assert released.detail["reason"] == "The owner came back."


def test_a_failure_keeps_its_log_and_uses_an_attempt_up(world: World):
    job = world.order(terms=Terms(max_attempts=1))
    held = world.held(world.maker("box"))
    spooled = world.uploaded(b"Segmentation fault\n")
    log = keep_log(world.farm, spooled)
    spooled.discard()
    give_up(world.farm, held, "The renderer failed.", failed=True, log=log)
    told = story(world.farm, held.task_id)
    assert (told.leases[0].state, told.leases[0].log) == ("failed", log)
    assert (told.job.id, told.job.state, told.task.state) == (job.id, "failed", "failed")
    assert world.findings() == []


def test_giving_up_what_has_ended_changes_no_state(world: World):
    world.order()
    held = world.held(world.maker("box"))
    world.send(held, picture())
    give_up(world.farm, held, "", failed=True)
    assert state_of(world, held) is LeaseState.SUBMITTED
    assert world.findings() == []


def test_a_session_is_known_by_its_token_until_it_ends(world: World):
    maker = world.maker("box")
    token = open_session(world.farm, maker, '{"cores": 8}', "key 7")
    opened = session_of(world.farm, token)
    assert (opened.session.machine_id, opened.session.account_id) == (maker.machine_id, maker.account_id)
    assert (opened.abilities, opened.opened_by, opened.session.protocol) == ('{"cores": 8}', "key 7", "rest")
    close_session(world.farm, opened.session)
    for unknown in (token, "", "f" * 32):
        with pytest.raises(SessionEnded):
            session_of(world.farm, unknown)


def test_a_session_is_noted_at_most_once_a_minute(world: World):
    token = open_session(world.farm, world.maker("box"), "")
    begun = world.clock.now
    world.clock.advance(SEEN_GRAIN_S - 1)
    session_of(world.farm, token)
    assert session_of(world.farm, token).session.last_seen_at == begun
    now = world.clock.advance(1)
    session_of(world.farm, token)
    assert session_of(world.farm, token).session.last_seen_at == now
    machine = world.farm.db.read(lambda tx: account_rows.machine_named(tx, "box"))
    assert machine.last_seen_at == now


def test_closing_a_session_frees_what_it_holds_and_nothing_else(world: World):
    from dataclasses import replace

    world.order(frames=3)
    maker = world.maker("box")
    with_session = []
    for _ in range(2):
        session = session_of(world.farm, open_session(world.farm, maker, "")).session
        held = world.held(replace(maker, session_id=session.id))
        with_session.append((session, held))
    without = world.held(maker)
    close_session(world.farm, with_session[0][0])
    states = [state_of(world, held) for held in (with_session[0][1], with_session[1][1], without)]
    assert states == [LeaseState.RELEASED, LeaseState.ACTIVE, LeaseState.ACTIVE]
    assert world.held(world.maker("other")).task_id == with_session[0][1].task_id


def test_a_suspended_machine_gets_no_work_until_it_is_let_work_again(world: World):
    world.order()
    maker = world.maker("box")
    world.farm.db.write(lambda tx: account_rows.suspend_machine(tx, maker.machine_id, world.clock.now))
    with pytest.raises(MachineSuspended):
        world.claim(maker)
    world.farm.db.write(lambda tx: account_rows.suspend_machine(tx, maker.machine_id, None))
    assert world.claim(maker) is not None


def test_a_machine_is_known_by_its_name_from_its_first_call(world: World):
    owner = world.account("ann")
    first = maker_named(world.farm, owner.id, "Box", "browsershots")
    assert maker_named(world.farm, owner.id, "box", "browsershots") == first
    with pytest.raises(InvalidName):
        maker_named(world.farm, owner.id, "../box", "browsershots")


def test_an_input_that_is_not_there_is_named(world: World):
    world.order()
    held = world.held(world.maker("box"))
    for name in ("", "genome", "../../etc/passwd"):
        with pytest.raises(UnknownBlob):
            read_input(world.farm, held, name)


def test_where_anybody_may_send_in_its_name_a_machine_is_suspended_for_an_hour(world: World):
    world.order()
    maker = replace(world.maker("es-ab", protocol="electricsheep"), is_proven=False)
    world.farm.db.write(lambda tx: account_rows.suspend_machine(tx, maker.machine_id, world.clock.now))
    world.clock.advance(UNPROVEN_SUSPENSION_S)
    with pytest.raises(MachineSuspended):
        world.claim(maker)
    world.clock.advance(1)
    assert world.claim(maker) is not None


def test_what_is_told_of_a_lease_after_its_end_does_not_replace_what_was_told_then(world: World):
    world.order()
    held = world.held(world.maker("box"))
    spooled = world.uploaded(b"Segmentation fault\n")
    log = keep_log(world.farm, spooled)
    spooled.discard()
    give_up(world.farm, held, "The renderer failed.", failed=True, log=log)
    give_up(world.farm, held, "It was all different.", failed=False)
    told = story(world.farm, held.task_id).leases[0]
    assert (told.state, told.reason, told.log) == ("failed", "The renderer failed.", log)


def test_a_lease_that_ran_out_may_still_be_told_about(world: World):
    world.order()
    held = world.held(world.maker("box"))
    world.clock.advance(TERM_S + 1)
    expire_leases(world.farm)
    give_up(world.farm, held, "The machine slept.", failed=True)
    told = story(world.farm, held.task_id).leases[0]
    assert (told.state, told.reason) == ("expired", "The machine slept.")
