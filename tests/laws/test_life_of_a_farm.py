"""The laws of a task's life at the height of the databases: operations of a real farm, and a check-up after each."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as settings_of
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.conftest import ABLE, ANY_SITE, DATABASES, Clock, World, new_database

from sheepfold.blobs.blobs import Blob
from sheepfold.config import Settings
from sheepfold.farm.browse import list_jobs, view_job
from sheepfold.farm.dispatch import (
    Maker,
    claim_task,
    close_session,
    give_up,
    heartbeat,
    held_lease,
    open_session,
    session_of,
)
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.keeping import name_blob
from sheepfold.farm.orders import cancel_job
from sheepfold.farm.settlement import Known, settle
from sheepfold.farm.upkeep import expire_leases, tidy_lanes
from sheepfold.model import lifecycle
from sheepfold.model.accounts import AccountId
from sheepfold.model.credit import BOUND, Purse
from sheepfold.model.errors import LeaseNotHeld, MachineSuspended
from sheepfold.model.jobs import JobState, Terms
from sheepfold.model.tasks import LeaseState, Result, ResultId, Soundness, Task, TaskId, TaskState, Verdict
from sheepfold.store import checks
from sheepfold.store import ledger as ledger_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.checks import Moment
from sheepfold.store.database import Tx
from sheepfold.store.findings import Finding
from sheepfold.store.leases import Holding
from sheepfold.store.task_checks import wrong_tasks

TERM_S = 100
FRAMES = 2
MACHINES = st.integers(0, 4)
MOODS = ["aaaabkx", "aab", "kkkka", "aabxxx"]
"""What machines are likely to send: two pictures that are not alike, a blank one, and one that cannot be read."""
SOUNDNESS = {"a": Soundness.SOUND, "b": Soundness.SOUND, "k": Soundness.BLANK, "x": Soundness.UNDECODABLE}


def leaves_to_others(task: Task, maker: Maker) -> bool:
    """Say whether a machine has made a blank picture of a task that others may confirm."""
    return any(result.machine_id == maker.machine_id and result.is_doubtful and result.verdict is Verdict.PENDING
               for result in task.results)


class FarmLife(RuleBasedStateMachine):
    """A job of two frames with five machines of three accounts, on a farm that has seen the lives before it."""

    def __init__(self, world: World, reached: Counter[str]) -> None:
        super().__init__()
        self.world, self.farm, self.reached = world, world.farm, reached

    @initialize(quorum=st.sampled_from([1, 2, 3]), max_attempts=st.integers(1, 4), mood=st.sampled_from(MOODS))
    def begin(self, quorum: int, max_attempts: int, mood: str) -> None:
        self.reached["lives"] += 1
        life = self.reached["lives"]
        self.mood = mood
        self.job = self.world.order(FRAMES, terms=Terms(quorum=quorum, max_attempts=max_attempts))
        self.task_ids = [row.id for row in view_job(self.farm, self.job.id).tasks]
        self.makers = [self.world.maker(f"box-{life}-{n}", f"crew-{life}-{n // 2}") for n in range(5)]
        self.sessions: dict[int, str] = {}
        self.held: list[Holding] = []
        self.final: dict[int, Verdict] = {}

    def teardown(self) -> None:
        if hasattr(self, "job") and view_job(self.farm, self.job.id).job.state is JobState.RUNNING:
            cancel_job(self.farm, self.world.account("ann"), self.job.id)
        assert self.world.findings() == []

    @rule(machine=MACHINES)
    def claim(self, machine: int) -> None:
        maker = self.makers[machine]
        try:
            assignment = claim_task(self.farm, maker, ABLE, TERM_S)
        except MachineSuspended:
            self.reached["suspended"] += 1
            return
        if assignment is None:
            assert not any(lifecycle.may_take(task, maker.machine_id) and not leaves_to_others(task, maker)
                           for task in self.tasks())
            return
        assert assignment.job.id == self.job.id
        self.held.append(held_lease(self.farm, maker, assignment.lease_id))

    @rule(machine=MACHINES, data=st.data())
    def work(self, machine: int, data: st.DataObject) -> None:
        count = len(self.held)
        self.claim(machine)
        if len(self.held) > count:
            self._send(self.held[-1], data.draw(st.sampled_from(self.mood)))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def submit(self, data: st.DataObject) -> None:
        self._send(data.draw(st.sampled_from(self.held)), data.draw(st.sampled_from(self.mood)))

    def _send(self, held: Holding, picture: str) -> None:
        before = self.world.task(held.task_id)
        sent = [result.verdict for result in before.results if result.lease_id == held.lease_id]
        body = f"{picture} {len(before.results)}".encode()
        if sent != [Verdict.INVALID] * len(sent) or len(sent) >= lifecycle.RESULTS_OF_A_LEASE:
            self.reached["one too many"] += 1
            with pytest.raises(LeaseNotHeld):
                self._settle(held, picture, self.farm.blobs.keep_bytes(body))
            return
        after = self._settle(held, picture, self.farm.blobs.keep_bytes(body))
        assert self.world.task(held.task_id) == after
        was_late = lifecycle.lease_of(before, held.lease_id).state is not LeaseState.ACTIVE
        newest = after.results[-1]
        self.reached[f"late {newest.verdict}" if was_late else newest.verdict] += 1
        self.reached["blank agreed"] += newest.is_doubtful and newest.verdict is Verdict.VALID

    def _settle(self, held: Holding, picture: str, blob: Blob) -> Task:
        """Do what an intake does once a picture was inspected and compared."""

        def submit(tx: Tx) -> Task:
            now = self.farm.now()
            desk = task_rows.load_desk(tx, held.task_id, held.machine_id)
            before = desk.task
            name_blob(tx, blob, now)
            rivals = [] if picture == "x" else [r for r in before.results if r.verdict is not Verdict.INVALID]
            like = next((rival.party for rival in rivals if rival.media_type == picture), None)
            verdict = Verdict.INVALID if picture == "x" else Verdict.PENDING
            result = Result(desk.result_id, held.lease_id, held.machine_id, held.account_id, blob.digest, now, like,
                            verdict, SOUNDNESS[picture], media_type=picture)  # fmt: skip
            after = lifecycle.submit(before, result, now)
            settle(tx, before, after, now, known=Known({result.id: desk.past}))
            return after

        return self.farm.db.write(submit)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def submit_again(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.held))
        before = self.world.task(held.task_id)
        mine = [result for result in before.results if result.lease_id == held.lease_id]
        if not mine:
            return

        def submit(tx: Tx) -> Task:
            loaded = task_rows.load(tx, held.task_id, lock=True)
            again = replace(mine[0], id=ResultId(0), verdict=Verdict.PENDING)
            after = lifecycle.submit(loaded, again, self.farm.now())
            settle(tx, loaded, after, self.farm.now())
            return after

        assert self.farm.db.write(submit) == before
        self.reached["same bytes again"] += 1

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.held))
        task = self.world.task(held.task_id)
        lease = lifecycle.lease_of(task, held.lease_id)
        if lease.state is LeaseState.ACTIVE and task.state is TaskState.OPEN:
            assert heartbeat(self.farm, held, TERM_S) == self.farm.now() + TERM_S
            return
        with pytest.raises(LeaseNotHeld):
            heartbeat(self.farm, held, TERM_S)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), failed=st.booleans())
    def give_up(self, data: st.DataObject, failed: bool) -> None:
        give_up(self.farm, data.draw(st.sampled_from(self.held)), "It crashed.", failed=failed)

    @rule(machine=MACHINES)
    def open_or_close_a_session(self, machine: int) -> None:
        maker = self.makers[machine]
        if machine not in self.sessions:
            self.sessions[machine] = open_session(self.farm, maker, "")
            opened = session_of(self.farm, self.sessions[machine]).session
            self.makers[machine] = replace(maker, session_id=opened.id)
            return
        close_session(self.farm, session_of(self.farm, self.sessions.pop(machine)).session)
        self.makers[machine] = replace(maker, session_id=None)

    @precondition(lambda self: len(self.held) > 4)
    @rule()
    def cancel(self) -> None:
        if view_job(self.farm, self.job.id).job.state is JobState.RUNNING:
            job = cancel_job(self.farm, self.world.account("ann"), self.job.id)
            assert job.state is JobState.CANCELED

    @rule(seconds=st.sampled_from([1, TERM_S - 1, TERM_S]))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)
        expire_leases(self.farm)
        assert tidy_lanes(self.farm) == 0

    @invariant()
    def the_laws_hold(self) -> None:
        if not hasattr(self, "job"):
            return
        findings, tasks, purses = self.farm.db.read(self._look)
        assert findings == []
        self._points_only_move(tasks, purses)
        self._verdicts_are_final(tasks)
        for task in tasks:
            holders = [lease.machine_id for lease in task.leases if lease.state is LeaseState.ACTIVE]
            assert len(set(holders)) == len(holders) <= task.quorum

    def _look(self, tx: Tx) -> tuple[list[Finding], list[Task], dict[AccountId, Purse]]:
        """Read all that the laws are about in one transaction; tasks of earlier lives are looked at in the end."""
        findings = list(checks.contradictions(tx, Moment(self.farm.now())))
        findings += wrong_tasks(tx, TaskId(min(self.task_ids) - 1), 100)[0]
        tasks = [task_rows.load(tx, task_id, lock=False) for task_id in self.task_ids]
        return findings, tasks, ledger_rows.purses(tx)

    def _points_only_move(self, tasks: list[Task], purses: dict[AccountId, Purse]) -> None:
        """What one earns another spends; each valid result is paid once, within the bound of its expected cost."""
        due = [task.cost_ms for task in tasks for r in task.results if r.verdict is Verdict.VALID]
        earned = sum(purses[account_id].earned for account_id in {maker.account_id for maker in self.makers})
        assert sum(purse.balance for purse in purses.values()) == 0
        assert sum(cost // BOUND for cost in due) <= earned <= sum(cost * BOUND for cost in due)

    def _verdicts_are_final(self, tasks: list[Task]) -> None:
        for task in tasks:
            for result in task.results:
                assert self.final.get(result.id, Verdict.PENDING) in {Verdict.PENDING, result.verdict}
                self.final[result.id] = result.verdict

    def tasks(self) -> list[Task]:
        """Return the job's tasks whole."""
        return self.farm.db.read(lambda tx: [task_rows.load(tx, task_id, lock=False) for task_id in self.task_ids])


@pytest.fixture(scope="module", params=DATABASES)
def reached(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Counter[str]]:
    """Run all lives on one farm, the same at each run, and count what they came to."""
    folder = tmp_path_factory.mktemp("farm")
    clock = Clock()
    with (
        new_database(request.param, request, folder) as url,
        open_farm(_settings(folder, url), _no_more, clock) as farm,
    ):
        counter = Counter[str]()
        run_state_machine_as_test(
            partial(FarmLife, World(farm, clock, folder), counter),
            settings=settings_of(
                max_examples=15, stateful_step_count=35, derandomize=True, deadline=None, database=None,
                suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
            ),
        )  # fmt: skip
        counter.update(_task_states(farm))
        yield counter


def _settings(folder: Path, url: str) -> Settings:
    return Settings(data=folder, database_url=url, **ANY_SITE)


def _no_more(key: str, account: str) -> list[tuple[str, str]]:
    return []


def _task_states(farm: Farm) -> Counter[str]:
    return Counter(task.state for job in list_jobs(farm, 1000) for task in view_job(farm, job.id).tasks)


def test_a_farm_keeps_its_laws_whatever_happens(reached: Counter[str]):
    assert reached["lives"] > 5


@pytest.mark.parametrize(
    ("what", "at_least"),
    [
        (TaskState.DONE, 4),
        (TaskState.FAILED, 2),
        (TaskState.CANCELED, 2),
        (Verdict.VALID, 4),
        (Verdict.INVALID, 4),
        ("late valid", 1),
        ("same bytes again", 5),
    ],
)
def test_the_lives_came_to_all_ends(reached: Counter[str], what: str, at_least: int):
    assert reached[what] >= at_least, reached
