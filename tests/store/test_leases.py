"""Rows of leases, seen from outside their tasks."""

import pytest
from tests.store.conftest import NOW, Rows

from sheepfold.model.errors import UnknownLease
from sheepfold.model.flock import SheepId
from sheepfold.model.jobs import Terms
from sheepfold.model.machines import MachineId, Session, SessionId
from sheepfold.model.tasks import LeaseId
from sheepfold.store import flock, leases, sessions
from sheepfold.store.claim import Claimant, claim


def test_a_lease_tells_what_it_is_on_and_who_holds_it(rows: Rows):
    job_id = rows.job()
    box = rows.machine("box")
    granted = rows.claim(box)
    held = rows.db.read(lambda tx: leases.holding(tx, granted.lease_id))
    assert (held.task_id, held.job_id, held.machine_id, held.account_id) == (
        granted.task_id, job_id, box.id, box.account_id
    )  # fmt: skip
    with pytest.raises(UnknownLease):
        rows.db.read(lambda tx: leases.holding(tx, LeaseId(99)))


def test_a_pairs_lease_is_its_active_one_else_its_newest(rows: Rows):
    rows.job()
    box = rows.machine("box")
    first = rows.claim(box)

    def of_pair() -> int:
        return rows.db.read(lambda tx: leases.holding_of_pair(tx, first.task_id, box.id)).lease_id

    assert of_pair() == first.lease_id
    rows.run("""INSERT INTO leases (task_id, machine_id, account_id, protocol, state, granted_at, deadline_at)
                SELECT task_id, machine_id, account_id, protocol, 'expired', 1, 2 FROM leases""")
    assert of_pair() == first.lease_id
    rows.run("UPDATE leases SET state = 'expired'")
    assert of_pair() == first.lease_id + 1
    with pytest.raises(UnknownLease, match="never had a lease"):
        rows.db.read(lambda tx: leases.holding_of_pair(tx, first.task_id, MachineId(99)))


def test_a_lease_is_found_by_its_machine_and_its_tasks_place(rows: Rows):
    job_id = rows.job()
    box, other = rows.machine("box"), rows.machine("other")
    granted = rows.claim(box)

    def found(machine_id: MachineId, frame: int) -> object:
        return rows.db.look(lambda tx: leases.find_wanted(tx, machine_id, (job_id, frame, granted.part), LeaseId(0)))

    assert found(box.id, granted.frame) == rows.db.look(lambda tx: leases.wanted(tx, granted.lease_id))
    assert found(other.id, granted.frame) is None
    assert found(box.id, granted.frame + 1) is None


def test_a_lease_on_a_picture_of_a_sheep_is_found_by_its_machines_name(rows: Rows):
    job_id = rows.job(tasks=2)
    rows.run("""INSERT INTO tasks (job_id, lane_id, frame, part, state, openings, cost_ms)
                SELECT job_id, lane_id, frame, 1, state, openings, cost_ms FROM tasks""")
    sheep = rows.db.write(lambda tx: flock.add_loop(tx, job_id))
    box = rows.machine("box")
    by_place = {(granted.frame, granted.part): granted.lease_id for granted in (rows.claim(box) for _ in range(4))}

    def found(name: str, picture: int, sheep_id: SheepId = sheep.id) -> object:
        wanted = rows.db.look(lambda tx: leases.find_wanted_of_sheep(tx, name, sheep_id, picture))
        return wanted and wanted.held.lease_id

    assert [found("box", picture) for picture in range(4)] == [by_place[place] for place in sorted(by_place)]
    assert [found("box", picture) for picture in (-1, 4, 2**40)] == [None] * 3
    assert found("other", 0) is None
    assert found("box", 0, SheepId(sheep.id.generation, sheep.id.number + 1)) is None


@pytest.mark.parametrize("against", [
    "UPDATE leases SET state = 'withdrawn'",
    "UPDATE tasks SET past_lease = 99",
    """INSERT INTO results (task_id, lease_id, machine_id, account_id, digest, submitted_at, verdict, soundness, reason,
                            media_type, width, height)
       SELECT task_id, id, machine_id, account_id, (SELECT min(digest) FROM blobs), 1, 'pending', 'sound', '',
              'image/png', 1, 1 FROM leases""",
])  # fmt: skip
def test_a_result_is_plain_only_while_nothing_is_known_of_its_lease(rows: Rows, against: str):
    rows.job()
    lease_id = rows.claim(rows.machine("box")).lease_id
    rows.run("INSERT INTO blobs (digest, md5, size_bytes, kept_at) VALUES ('d', '', 1, 1)")

    def wanted() -> leases.Wanted:
        return rows.db.look(lambda tx: leases.wanted(tx, lease_id))

    assert (wanted().is_plain, wanted().is_cleared) == (True, False)
    rows.run(against)
    assert not wanted().is_plain
    rows.run("UPDATE jobs SET cleared_at = 1")
    assert wanted().is_cleared


def test_a_session_and_a_lease_are_found_together_each_for_itself(rows: Rows):
    rows.job()
    box = rows.machine("box")
    lease_id = rows.claim(box).lease_id
    new = Session(SessionId(0), box.id, box.account_id, "rest", NOW, NOW)
    rows.db.write(lambda tx: sessions.add_session(tx, "hash", new, "{}", "key"))

    def together(token_hash: str, lease: int) -> tuple[sessions.OpenSession | None, leases.Wanted | None]:
        return rows.db.look(lambda tx: leases.wanted_in_session(tx, token_hash, LeaseId(lease)))

    known = rows.db.look(lambda tx: sessions.find_session(tx, "hash"))
    wanted = rows.db.look(lambda tx: leases.wanted(tx, lease_id))
    assert known is not None
    assert wanted.held == rows.db.look(lambda tx: leases.holding(tx, lease_id))
    assert together("hash", lease_id) == (known, wanted)
    assert together("other", lease_id) == (None, wanted)
    assert together("hash", lease_id + 1) == (known, None)


def test_a_machines_active_leases_are_those_of_all_its_sessions(rows: Rows):
    rows.job(tasks=3)
    box = rows.machine("box")
    new = Session(SessionId(0), box.id, box.account_id, "sheepit", NOW, NOW)
    session_id = rows.db.write(lambda tx: sessions.add_session(tx, "hash", new, "{}", ""))
    claimant = Claimant(box.id, box.account_id, "sheepit", session_id, 60)
    needs_ids = rows.needs_ids()
    in_session = rows.db.write(lambda tx: claim(tx, claimant, needs_ids, NOW))
    outside = rows.claim(box)
    ended = rows.claim(box)
    rows.run("UPDATE leases SET state = 'released' WHERE id = :id", id=ended.lease_id)
    active = rows.db.read(lambda tx: leases.active_of_machine(tx, box.id))
    assert [held.lease_id for held in active] == [in_session.lease_id, outside.lease_id]
    of_session = rows.db.read(lambda tx: leases.active_of_machine(tx, box.id, session_id))
    assert [held.lease_id for held in of_session] == [in_session.lease_id]


def test_what_a_client_told_of_a_lease_is_kept_as_it_was_told(rows: Rows):
    rows.job()
    granted = rows.claim(rows.machine("box"))
    for figures in ({"seconds": 1, "cores": 8}, {"seconds": 2, "agent": "it's \"odd\" \0\ud800"}):
        rows.db.write(lambda tx, f=figures: leases.save_figures(tx, granted.lease_id, f))
        assert rows.db.read(lambda tx: leases.figures_of(tx, granted.lease_id)) == figures


def test_a_tasks_leases_are_told_oldest_first_with_why_they_ended(rows: Rows):
    rows.job(terms=Terms(quorum=2))
    first, second = rows.claim(rows.machine("box")), rows.claim(rows.machine("other"))
    log = rows.blob()
    rows.db.write(lambda tx: leases.note_end(tx, first.lease_id, "It crashed.", log))
    told = rows.db.read(lambda tx: leases.stories_of_task(tx, first.task_id))
    assert [(lease.lease_id, lease.machine, lease.reason, lease.log) for lease in told] == [
        (first.lease_id, "box", "It crashed.", log), (second.lease_id, "other", "", None)
    ]  # fmt: skip
