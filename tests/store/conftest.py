"""What the store's tests share: rows to begin with, made by the store's own functions."""

from dataclasses import dataclass

import pytest
from sqlalchemy import text

from sheepfold.model.accounts import Account, Role
from sheepfold.model.jobs import Job, JobId, JobState, Progress, Terms
from sheepfold.model.machines import Machine
from sheepfold.model.matching import Needs
from sheepfold.model.tasks import Task, TaskId
from sheepfold.store import accounts as account_rows
from sheepfold.store import blobs as blob_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import lanes as lane_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.blobs import BlobRow
from sheepfold.store.claim import Claimant, Granted, claim
from sheepfold.store.database import Database, Tx

NOW = 1_800_000_000
EASY = Needs("flame")


@dataclass
class Rows:
    """A database and short ways to fill it."""

    db: Database

    def run(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        """Run plain SQL in a transaction of its own; returns its rows."""
        return self.db.write(lambda tx: [tuple(row) for row in tx.execute(text(statement), values)])

    def account(self, name: str, weight: int = 0) -> Account:
        """Return the account of a name, added where it is new."""

        def add(tx: Tx) -> Account:
            known = account_rows.find_account(tx, name)
            return known or account_rows.add_account(tx, name, Role.ARTIST, "", NOW)

        account = self.db.write(add)
        if weight:
            self.run("UPDATE accounts SET weight = :weight WHERE id = :id", weight=weight, id=account.id)
        return account

    def machine(self, name: str, account: str = "") -> Machine:
        """Return the machine of a name, of an account of its own unless one is named."""
        owner = self.account(account or f"{name}-owner")
        return self.db.write(lambda tx: account_rows.ensure_machine(tx, owner.id, name, NOW))

    def job(self, tasks: int = 1, account: str = "ann", needs: Needs = EASY, cost_ms: int = 1000,
            terms: Terms = Terms()) -> JobId:  # fmt: skip  # noqa: B008 -- frozen
        """Queue a job as an order does."""
        owner = self.account(account)

        def add(tx: Tx) -> JobId:
            job = Job(JobId(0), owner.id, "flame", "a test", {"frames": tasks}, terms, JobState.RUNNING, NOW,
                      progress=Progress(tasks))  # fmt: skip
            job_id = job_rows.add_job(tx, job)
            lane_id = lane_rows.ensure_lane(tx, needs, owner.id, terms.priority)
            new = (job_rows.NewTask(frame, 0, lane_id, cost_ms, None) for frame in range(tasks))
            job_rows.add_tasks(tx, job_id, terms.quorum, new)
            lane_rows.wake_lane(tx, lane_id)
            return job_id

        return self.db.write(add)

    def needs_ids(self) -> tuple[int, ...]:
        """Return the ids of all needs."""
        return tuple(row.id for row in self.db.read(lane_rows.all_needs))

    def claim(self, machine: Machine, needs_ids: tuple[int, ...] | None = None, now: int = NOW) -> Granted | None:
        """Claim for a machine, by default among all needs."""
        claimant = Claimant(machine.id, machine.account_id, "rest", None, 600)
        wanted = self.needs_ids() if needs_ids is None else needs_ids
        return self.db.write(lambda tx: claim(tx, claimant, wanted, now))

    def task(self, task_id: TaskId) -> Task:
        """Return a task whole."""
        return self.db.read(lambda tx: task_rows.load(tx, task_id, lock=False))

    def job_of_task(self, task_id: TaskId) -> JobId:
        """Return whose task it is."""
        return self.task(task_id).job_id

    def blob(self, digest: str = "d" * 64) -> str:
        """Name a blob; returns its digest."""
        self.db.write(lambda tx: blob_rows.add(tx, BlobRow(digest, "m" * 32, 7), NOW))
        return digest

    def lanes(self) -> list[tuple[object, ...]]:
        """Return all lanes: account, priority, virtual time, and whether they sleep."""
        return self.run("""
            SELECT a.name, l.priority, l.virtual_time, l.drained_at IS NOT NULL
            FROM lanes l JOIN accounts a ON a.id = l.account_id ORDER BY l.id
        """)


@pytest.fixture
def rows(db: Database) -> Rows:
    return Rows(db)
