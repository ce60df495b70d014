"""The claim: which task a machine gets, and that nobody else gets it too."""

import re
from collections import Counter

import pytest
from sqlalchemy import text
from tests.conftest import in_threads
from tests.store.conftest import EASY, NOW, Rows

from sheepfold.model.credit import FAVOUR
from sheepfold.model.jobs import Terms
from sheepfold.model.machines import Machine
from sheepfold.model.matching import Needs
from sheepfold.model.tasks import LeaseState, TaskState
from sheepfold.store import jobs, ledger
from sheepfold.store import lanes as lane_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.claim import LANES_AT_A_TIME, Claimant, claim, plans
from sheepfold.store.database import Tx

HARD = Needs("flame", memory_mib=64_000)


def claimed_jobs(rows: Rows, machine: Machine, count: int) -> list[int]:
    """Claim so often, folding what was charged after each claim; returns whose tasks they were."""
    jobs = []
    for _ in range(count):
        granted = rows.claim(machine)
        assert granted is not None
        jobs.append(granted.job.id)
        rows.db.write(lane_rows.tidy)
    return jobs


def test_a_claim_grants_a_lease_until_its_deadline(rows: Rows):
    job_id = rows.job()
    box = rows.machine("box")
    granted = rows.claim(box)
    task = rows.task(granted.task_id)
    assert (granted.job.id, granted.deadline_at) == (job_id, NOW + 600)
    assert [(lease.id, lease.machine_id, lease.state, lease.deadline_at) for lease in task.leases] == [
        (granted.lease_id, box.id, LeaseState.ACTIVE, NOW + 600)
    ]
    assert rows.run("SELECT openings FROM tasks") == [(0,)]


@pytest.mark.parametrize("own", [None, "d" * 64])
def test_a_claim_tells_the_job_with_its_inputs(rows: Rows, own: str | None):
    job_id, digest = rows.job(), rows.blob()
    rows.run("INSERT INTO job_inputs (job_id, name, digest) VALUES (:job_id, 'scene', :digest)", job_id=job_id,
             digest=digest)
    rows.run("UPDATE tasks SET input = :own", own=own)
    granted = rows.claim(rows.machine("box"))
    assert (granted.input, granted.job.inputs) == (own, {"scene": digest})
    assert granted.job == rows.db.read(lambda tx: jobs.job_of(tx, job_id))


def test_without_work_a_claim_grants_nothing(rows: Rows):
    box = rows.machine("box")
    assert rows.claim(box) is None
    rows.job()
    assert rows.claim(box, needs_ids=()) is None
    assert rows.claim(box) is not None
    assert rows.claim(rows.machine("other")) is None


def test_a_claim_takes_only_needs_that_it_names(rows: Rows):
    rows.job(needs=HARD)
    easy = rows.job(needs=EASY)
    easy_id = next(row.id for row in rows.db.read(lane_rows.all_needs) if row.needs == EASY)
    box = rows.machine("box")
    assert rows.claim(box, (easy_id,)).job.id == easy
    assert rows.claim(box, (easy_id,)) is None


def test_tasks_of_a_lane_go_in_the_order_of_their_ids(rows: Rows):
    rows.job(tasks=5)
    taken = [rows.claim(rows.machine("box")).task_id for _ in range(5)]
    assert taken == sorted(taken)


def test_own_work_goes_before_a_higher_priority_of_others(rows: Rows):
    urgent = rows.job(account="bob", terms=Terms(priority=9))
    own = rows.job(account="ann")
    box = rows.machine("box", account="ann")
    assert claimed_jobs(rows, box, 2) == [own, urgent]


def test_among_own_work_the_higher_priority_goes_first(rows: Rows):
    low, high = rows.job(terms=Terms(priority=-1)), rows.job(terms=Terms(priority=1))
    assert claimed_jobs(rows, rows.machine("box", account="ann"), 2) == [high, low]


def test_a_higher_priority_of_others_goes_before_less_virtual_time(rows: Rows):
    high = rows.job(tasks=2, account="bob", terms=Terms(priority=1))
    low = rows.job(account="cid")
    assert claimed_jobs(rows, rows.machine("box"), 3) == [high, high, low]


def test_a_lane_that_was_served_less_goes_first(rows: Rows):
    dear = rows.job(tasks=3, account="bob", cost_ms=2500)
    cheap = rows.job(tasks=3, account="cid", cost_ms=1000)
    order = claimed_jobs(rows, rows.machine("box"), 5)
    assert order == [dear, cheap, cheap, cheap, dear]


def test_each_account_gets_the_share_of_its_weight(rows: Rows):
    rows.account("bob", weight=300)
    big, small = rows.job(tasks=100, account="bob"), rows.job(tasks=100, account="cid")
    shares = Counter(claimed_jobs(rows, rows.machine("box"), 100))
    assert shares[big] in range(73, 78)
    assert shares[small] == 100 - shares[big]


def test_an_account_that_begins_late_has_saved_nothing_up(rows: Rows):
    early = rows.job(tasks=40, account="bob")
    box = rows.machine("box")
    claimed_jobs(rows, box, 20)
    late = rows.job(tasks=40, account="cid")
    shares = Counter(claimed_jobs(rows, box, 20))
    assert shares[late] in range(9, 12)
    assert shares[early] == 20 - shares[late]


def test_a_machine_never_holds_a_task_twice(rows: Rows):
    rows.job(terms=Terms(quorum=2))
    box = rows.machine("box")
    assert rows.claim(box) is not None
    assert rows.claim(box) is None
    assert rows.claim(rows.machine("other")) is not None


def test_what_one_machine_may_not_take_keeps_its_lane_awake_for_others(rows: Rows):
    rows.job(terms=Terms(quorum=2))
    box = rows.machine("box")
    rows.claim(box)
    assert rows.claim(box) is None
    assert [sleeps for *_, sleeps in rows.lanes()] == [False]


def test_an_emptied_lane_falls_asleep_and_wakes_with_an_opening(rows: Rows):
    rows.job()
    box = rows.machine("box")
    granted = rows.claim(box)
    assert rows.claim(box) is None
    assert [bool(sleeps) for *_, sleeps in rows.lanes()] == [True]
    rows.run("UPDATE leases SET state = 'released'")
    rows.run("UPDATE tasks SET openings = 1")
    assert rows.claim(box) is None  # nobody has told the lane
    rows.db.write(lambda tx: lane_rows.wake_lane_of(tx, granted.task_id))
    assert rows.claim(box).task_id == granted.task_id


def test_a_claim_looks_beyond_the_first_lanes_that_have_nothing_for_it(rows: Rows):
    box = rows.machine("box")
    for n in range(max(LANES_AT_A_TIME.values()) + 2):
        rows.job(account=f"artist-{n}", terms=Terms(quorum=2, priority=5))
        assert rows.claim(box) is not None
    last = rows.job(account="zed")
    assert rows.claim(box).job.id == last


def test_a_claim_charges_its_lane_by_cost_over_weight(rows: Rows):
    rows.account("bob", weight=200)
    rows.job(account="bob", cost_ms=3000)
    claimed_jobs(rows, rows.machine("box"), 1)
    assert [virtual_time for _, _, virtual_time, _ in rows.lanes()] == [1500]


def test_who_has_points_to_spend_gets_four_times_its_share(rows: Rows):
    for account in ("bob", "cid"):
        rows.job(tasks=40, account=account)
    bob = rows.account("bob")
    assert rows.db.write(lambda tx: ledger.set_favour(tx, bob.id, FAVOUR))
    box = rows.machine("box")
    makers = [rows.job_of_task(rows.claim(box).task_id) for _ in range(50)]
    assert sorted(makers.count(job_id) for job_id in set(makers)) == pytest.approx([10, 40], abs=1)


def test_accounts_take_turns_also_between_two_folds(rows: Rows):
    for number in range(10):
        rows.job(tasks=20, account=f"account-{number}")
    box = rows.machine("box")
    served = Counter(rows.claim(box).job.id for _ in range(30))
    assert sorted(served.values()) == [3] * 10


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_lane_that_another_claim_holds_is_charged_later(rows: Rows):
    rows.job(cost_ms=3000)
    box = rows.machine("box")

    def claim_beside(tx: Tx) -> None:
        tx.execute(text("SELECT id FROM lanes FOR NO KEY UPDATE"))
        assert in_threads(1, lambda _: rows.claim(box)) != [None]

    rows.db.write(claim_beside)
    assert rows.run("SELECT virtual_time FROM lanes") == [(0,)]
    rows.db.write(lane_rows.tidy)
    assert rows.run("SELECT virtual_time FROM lanes") == [(3000,)]


def claimed_beside(rows: Rows, machine: Machine, account: str) -> int:
    """Claim while another claim holds the lanes of an account; returns whose task it was."""

    def claim_beside(tx: Tx) -> int:
        owner = rows.account(account)
        held = text("SELECT id FROM lanes WHERE account_id = :account_id FOR NO KEY UPDATE")
        assert tx.execute(held, {"account_id": owner.id}).all()
        return in_threads(1, lambda _: rows.claim(machine).job.id)[0]

    return rows.db.write(claim_beside)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_claims_that_come_together_serve_different_accounts(rows: Rows):
    first, second = rows.job(tasks=3, account="bob"), rows.job(tasks=3, account="cid")
    rows.run("UPDATE lanes SET virtual_time = id")
    box = rows.machine("box")
    assert claimed_beside(rows, box, "bob") == second
    assert claimed_beside(rows, box, "cid") == first


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_own_work_and_a_priority_are_not_passed_over_where_another_claim_is_at_them(rows: Rows):
    urgent = rows.job(tasks=3, account="bob", terms=Terms(priority=5))
    own = rows.job(account="ann")
    box = rows.machine("box", account="ann")
    assert claimed_beside(rows, box, "ann") == own
    rows.job(tasks=3, account="cid")
    assert claimed_beside(rows, box, "bob") == urgent


def test_a_machine_that_is_suspended_gets_nothing(rows: Rows):
    rows.job()
    box = rows.machine("box")
    rows.run("UPDATE machines SET suspended_at = :now", now=NOW)
    assert rows.claim(box) is None
    claimant = Claimant(box.id, box.account_id, "rest", None, 600, suspended_since=NOW + 1)
    assert rows.db.write(lambda tx: claim(tx, claimant, rows.needs_ids(), NOW)) is not None


def test_many_machines_at_once_take_each_task_once(rows: Rows):
    for account in ("bob", "cid"):
        rows.job(tasks=100, account=account)
    machines = [rows.machine(f"box-{n}") for n in range(8)]
    needs_ids = rows.needs_ids()

    def take_all(number: int) -> list[int]:
        return [granted.task_id for granted in iter(lambda: rows.claim(machines[number], needs_ids), None)]

    taken = [task_id for tasks in in_threads(8, take_all) for task_id in tasks]
    assert len(taken) == len(set(taken)) == 200
    assert rows.run("SELECT count(*) FROM tasks WHERE openings <> 0") == [(0,)]
    assert rows.run("SELECT count(*) FROM leases WHERE state = 'active'") == [(200,)]


def test_one_machine_at_many_doors_takes_each_task_once(rows: Rows):
    rows.job(tasks=30, terms=Terms(quorum=3))
    box = rows.machine("box")
    needs_ids = rows.needs_ids()

    def take_all(_: int) -> list[int]:
        return [granted.task_id for granted in iter(lambda: rows.claim(box, needs_ids), None)]

    taken = [task_id for tasks in in_threads(6, take_all) for task_id in tasks]
    assert len(taken) == len(set(taken)) == 30
    assert rows.run("SELECT DISTINCT openings FROM tasks") == [(2,)]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)  # on SQLite writers wait for each other
def test_a_task_that_is_just_being_changed_is_passed_over(rows: Rows):
    rows.job(tasks=2)
    box = rows.machine("box")
    needs_ids = rows.needs_ids()
    first, second = (row[0] for row in rows.run("SELECT id FROM tasks ORDER BY id"))

    def hold(tx: Tx) -> int:
        task_rows.load(tx, first, lock=True)
        return in_threads(1, lambda _: rows.claim(box, needs_ids).task_id)[0]

    assert rows.db.write(hold) == second


def test_an_ended_task_is_never_granted(rows: Rows):
    rows.job(tasks=2)
    rows.run("UPDATE tasks SET state = :state, openings = 0", state=TaskState.CANCELED.value)
    assert rows.claim(rows.machine("box")) is None


@pytest.fixture
def crowded(rows: Rows) -> Rows:
    """Fill a database so that its planner has something to choose from."""
    for n in range(60):
        rows.job(tasks=20, account=f"artist-{n}", needs=Needs("flame", width=100 + n % 20), terms=Terms(priority=n % 3))
    rows.run("UPDATE lanes SET drained_at = 1 WHERE id % 3 = 0")
    rows.run("UPDATE tasks SET openings = 0 WHERE id % 3 <> 0")
    rows.run("ANALYZE")
    return rows


def test_both_searches_of_a_claim_walk_their_indexes(crowded: Rows, dialect: str):
    box = crowded.machine("box", account="artist-1")
    claimant = Claimant(box.id, box.account_id, "rest", None, 600)

    def explain(tx: Tx) -> dict[str, list[str]]:
        if dialect == "postgresql":
            tx.execute(text("SET LOCAL enable_seqscan = off"))  # a table this small fits into a page or two
        return plans(tx, claimant, crowded.needs_ids())

    found = "\n".join(line for lines in crowded.db.write(explain).values() for line in lines)
    assert "ix_lanes_open" in found
    assert "ix_tasks_open" in found
    assert re.findall(r"(?:Seq Scan on|SCAN) (lanes|tasks|leases|results|t|l|r)\b", found) == [], found
    assert crowded.run("SELECT count(*) FROM leases") == [(0,)]


def test_a_claim_never_walks_all_that_its_machine_has_sent(rows: Rows):
    """PostgreSQL does where that is little when it plans, and keeps the plan."""
    rows.job(tasks=40)
    box, digest = rows.machine("box"), rows.blob()
    for _ in range(30):
        granted = rows.claim(box)
        rows.run("""INSERT INTO results (task_id, lease_id, machine_id, account_id, digest, submitted_at, verdict,
                                         soundness, reason, media_type, width, height)
                    SELECT task_id, id, machine_id, account_id, :digest, 1, 'valid', 'sound', '', 'image/png', 1, 1
                    FROM leases WHERE id = :id""", id=granted.lease_id, digest=digest)
    claimant = Claimant(box.id, box.account_id, "rest", None, 600)
    found = rows.db.write(lambda tx: plans(tx, claimant, rows.needs_ids()))
    assert "ix_results_machine_id_id" not in str(found)
    assert "ix_results_task_id" in str(found)
    assert "ix_leases_machine_id_id" not in str(found)
    assert "ix_leases_task_id" in str(found)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_claim_that_is_planned_before_anything_was_made_looks_each_task_up_all_the_same(rows: Rows):
    """PostgreSQL would walk all results and leases, as long as there are few, and keeps such a plan as they come."""
    for number in range(10):
        rows.job(tasks=400, account=f"artist-{number}")
    rows.run("ANALYZE tasks, lanes")
    box = rows.machine("box")
    claimant = Claimant(box.id, box.account_id, "rest", None, 600)

    def explain(tx: Tx) -> list[str]:
        tx.execute(text("SET LOCAL enable_seqscan = off"))
        return plans(tx, claimant, rows.needs_ids())["a claim"]

    found = "\n".join(rows.db.write(explain))
    assert "Materialize" not in found
    assert "Hash" not in found
    for table in ("leases l", "results r", "refusals f"):
        assert re.search(rf"on {table} .*loops=1\)\n.*Cond: .*= t_1\.(id|job_id)\)", found), found


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_claim_that_is_planned_while_nobody_works_looks_each_task_up_when_many_do(rows: Rows):
    """PostgreSQL would walk all active leases where it has counted none among those that ended."""
    rows.job(tasks=400)
    box = rows.machine("box")
    rows.run("""INSERT INTO leases (task_id, machine_id, account_id, protocol, state, granted_at, deadline_at, ended_at)
                SELECT t.id, :machine, :account, 'rest', 'released', n, n, n
                FROM tasks t CROSS JOIN generate_series(1, 20) AS n""", machine=box.id, account=box.account_id)
    rows.run("ANALYZE")
    claimant = Claimant(box.id, box.account_id, "rest", None, 600)

    def explain(tx: Tx) -> list[str]:
        tx.execute(text("SET LOCAL enable_seqscan = off"))
        return plans(tx, claimant, rows.needs_ids())["a claim"]

    found = "\n".join(rows.db.write(explain))
    assert re.search(r"on leases l .*loops=1\)\n.*Cond: \(task_id = t_1\.id\)", found), found


def test_a_claim_undone_grants_nothing(rows: Rows):
    rows.job()
    box = rows.machine("box")
    claimant = Claimant(box.id, box.account_id, "rest", None, 600)

    def claim_and_stumble(tx: Tx) -> None:
        assert claim(tx, claimant, (1,), NOW) is not None
        raise KeyError("stumbled")

    with pytest.raises(KeyError):
        rows.db.write(claim_and_stumble)
    assert rows.run("SELECT count(*) FROM leases") == [(0,)]
    assert rows.claim(box) is not None
