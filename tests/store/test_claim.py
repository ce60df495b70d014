"""The claim: whose work goes first, that nobody gets what another holds, and which indexes it walks."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from sheepfold.model.accounts import AccountId, Role
from sheepfold.model.jobs import Job, JobId, JobState, Progress, Terms
from sheepfold.model.machines import MachineId
from sheepfold.model.matching import Needs
from sheepfold.store import accounts, jobs, lanes
from sheepfold.store.claim import Claimant, claim, plans
from sheepfold.store.jobs import NewTask

NEEDS = Needs("flame", renderer="flam3")
NOW = 1000
AWAKE = text("SELECT count(*) FROM lanes WHERE drained_at IS NULL")


class Field:
    """A database with accounts, machines and jobs made without a kind."""

    def __init__(self, db):
        self.db = db
        self.machines = {}

    def account(self, name, weight=100):
        def add(tx):
            one = accounts.add_account(tx, name, Role.ARTIST, "", 1)
            tx.execute(text("UPDATE accounts SET weight = :w WHERE id = :id"), {"w": weight, "id": one.id})
            return one.id

        return self.db.write(add)

    def job(self, account_id, count, priority=0, needs=NEEDS, cost_ms=1000):
        def add(tx):
            job = Job(JobId(0), account_id, "flame", "", {}, Terms(priority), JobState.RUNNING, 1,
                      progress=Progress(count))
            job_id = jobs.add_job(tx, job)
            lane = lanes.ensure_lane(tx, needs, account_id, priority)
            jobs.add_tasks(tx, job_id, 1, (NewTask(n, 0, lane, cost_ms, None) for n in range(count)))
            lanes.wake_lane(tx, lane)
            return job_id

        return self.db.write(add)

    def claim(self, name="box", account_id=None, needs=(NEEDS,)):
        if name not in self.machines:
            def add(tx):
                holder = account_id or accounts.add_account(tx, f"of-{name}", Role.VOLUNTEER, "", 1).id
                return accounts.ensure_machine(tx, AccountId(holder), name, 1)

            self.machines[name] = self.db.write(add)
        machine = self.machines[name]
        ids = {row.needs: row.id for row in self.db.read(lanes.all_needs)}
        claimant = Claimant(MachineId(machine.id), machine.account_id, "rest", None, 60)
        granted = self.db.write(lambda tx: claim(tx, claimant, tuple(ids[one] for one in needs if one in ids), NOW))
        self.db.write(lanes.tidy)
        return granted


@pytest.fixture
def field(db):
    return Field(db)


def test_nothing_to_do_is_none(field):
    assert field.claim() is None


def test_tasks_go_out_in_order_and_once(field):
    field.job(field.account("spot"), 3)
    tasks = [field.claim(f"m{n}").task_id for n in range(3)]
    assert tasks == sorted(set(tasks))
    assert field.claim("m9") is None


def test_machine_does_not_get_the_task_that_it_holds(field):
    field.job(field.account("spot"), 2)
    assert field.claim("box").task_id != field.claim("box").task_id


def test_own_work_goes_first_even_at_a_lower_priority(field):
    other, mine = field.account("other"), field.account("mine")
    field.job(other, 2, priority=5)
    own = field.job(mine, 1, priority=-5)
    assert field.claim("box", mine).job_id == own
    assert field.claim("box", mine).job_id != own


def test_higher_priority_goes_first(field):
    spot = field.account("spot")
    field.job(spot, 1, priority=0)
    urgent = field.job(spot, 1, priority=7)
    assert field.claim().job_id == urgent


def test_needs_that_are_not_satisfied_are_left_alone(field):
    field.job(field.account("spot"), 1, needs=Needs("blender"))
    assert field.claim() is None
    assert field.claim("b", needs=(Needs("blender"),)) is not None


def test_accounts_share_by_weight(field):
    light, heavy = field.account("light", 100), field.account("heavy", 300)
    jobs_of = {field.job(light, 100): "light", field.job(heavy, 100): "heavy"}
    shares = Counter(jobs_of[field.claim(f"m{n % 7}").job_id] for n in range(80))
    assert 57 <= shares["heavy"] <= 63


def test_account_that_comes_late_does_not_take_all(field):
    early = field.job(field.account("early"), 60)
    for _ in range(20):
        field.claim()
    field.job(field.account("late"), 60)
    shares = Counter(field.claim().job_id == early for _ in range(20))
    assert 9 <= shares[True] <= 11


def test_drained_lane_wakes_with_the_next_order(field):
    spot = field.account("spot")
    field.job(spot, 1)
    field.claim("a")
    assert field.claim("b") is None
    assert field.db.read(lambda tx: tx.execute(AWAKE).scalar_one()) == 0
    field.job(spot, 1)
    assert field.claim("b") is not None


def test_many_at_once_get_a_task_each(field):
    field.job(field.account("spot"), 150)
    field.job(field.account("bella"), 50)
    for n in range(8):
        field.claim(f"m{n}", needs=())
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda n: [field.claim(f"m{n}") for _ in range(25)], range(8)))
    tasks = [one.task_id for many in claimed for one in many if one is not None]
    assert len(tasks) == len(set(tasks)) == 200


def test_claim_walks_its_indexes(field):
    for n in range(30):
        field.job(field.account(f"a{n}"), 40)

    def plan(tx):
        if tx.dialect.name == "postgresql":
            tx.execute(text("ANALYZE"))
            tx.execute(text("SET LOCAL enable_seqscan = off"))
        return plans(tx, Claimant(MachineId(1), AccountId(1), "rest", None, 60), (1,))

    lanes_plan, first = (" ".join(lines) for lines in field.db.write(plan).values())
    assert "ix_lanes_open" in lanes_plan
    assert "ix_tasks_open" in first
