"""Sight: who may see which job; a private one is seen by its account, the owner, who holds a link, and maybe a team."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sheepfold.farm.accounts import key_verifier
from sheepfold.farm.farm import Farm
from sheepfold.farm.rights import own_job
from sheepfold.model.accounts import Account, AccountId, Role
from sheepfold.model.errors import Conflict, UnknownJob, UnknownTask
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.tasks import TaskId
from sheepfold.store import flock as flock_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import sight as sight_rows
from sheepfold.store import teams as team_rows
from sheepfold.store.database import Tx

MOST_SHARES = 20


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: an account, or None for a visitor; and the tokens of the links that they hold."""

    account: Account | None
    shares: tuple[str, ...] = ()

    @property
    def sees_all(self) -> bool:
        """Say whether nothing is hidden from this viewer: the owner keeps the disk that it all lies on."""
        return self.account is not None and self.account.role is Role.OWNER


@dataclass(frozen=True, slots=True)
class JobTeam:
    """The team of a job's account, and whether it sees the job although that is private."""

    name: str
    sees: bool


def check_job(farm: Farm, viewer: Viewer, job_id: JobId) -> None:
    """Raise UnknownJob where this viewer may not see a job: the same as where there is none."""
    if not farm.db.read(lambda tx: may_see(tx, viewer, job_id)):
        raise UnknownJob(f"There is no job {job_id}.")


def check_task(farm: Farm, viewer: Viewer, task_id: TaskId) -> None:
    """Raise UnknownTask where this viewer may not see a task's job."""

    def may(tx: Tx) -> bool:
        job_id = sight_rows.job_of_task(tx, task_id)
        return job_id is None or may_see(tx, viewer, job_id)

    if not farm.db.read(may):
        raise UnknownTask(f"There is no task {task_id}.")


def is_shared(farm: Farm, viewer: Viewer, job_id: JobId) -> bool:
    """Say whether the viewer holds a link to a job."""
    return farm.db.read(lambda tx: _is_shared(tx, viewer, job_id))


def job_of_task(farm: Farm, task_id: TaskId) -> JobId | None:
    """Return the job of a task, None where there is no such task."""
    return farm.db.read(lambda tx: sight_rows.job_of_task(tx, task_id))


def may_see(tx: Tx, viewer: Viewer, job_id: JobId) -> bool:
    """Say whether a viewer may see a job; one that does not exist hides nothing."""
    return job_id not in hidden(tx, viewer, [job_id]) or _is_shared(tx, viewer, job_id)


def hidden(tx: Tx, viewer: Viewer, job_ids: Iterable[JobId]) -> set[JobId]:
    """Return which of these jobs are nothing for this viewer's lists: private, of somebody else, not for their team."""
    if viewer.sees_all:
        return set()
    me = None if viewer.account is None else viewer.account.id
    others = {job_id for job_id, account_id in sight_rows.private_among(tx, job_ids).items() if account_id != me}
    return others - team_rows.seen_among(tx, others, me) if others and me is not None else others


def eyes_of(viewer: Viewer) -> AccountId | None:
    """Return whose private jobs a list shows: None for those of all, 0 for nobody's."""
    if viewer.sees_all:
        return None
    return AccountId(0) if viewer.account is None else viewer.account.id


def set_private(farm: Farm, account: Account, job_id: JobId, *, is_private: bool) -> Job:
    """Hide a job of this account from others, or show it again; of any as the owner. Raises UnknownJob, Forbidden.

    A sheep of the flock cannot be hidden (Conflict): it is everybody's.
    """

    def change(tx: Tx) -> Job:
        own_job(tx, account, job_id)
        if is_private and flock_rows.find_sheep_of_job(tx, job_id) is not None:
            raise Conflict("A loop or an edge lives in the flock, which everybody sees; only a still can be private.")
        sight_rows.set_private(tx, job_id, farm.now() if is_private else None)
        if not is_private:
            team_rows.hide_job(tx, job_id)
        return job_rows.job_of(tx, job_id)

    return farm.db.write(change)


def show_to_team(farm: Farm, account: Account, job_id: JobId, *, is_shown: bool) -> str:
    """Show a private job to the team of its account, or no more; returns that team's name, empty for none.

    Raises UnknownJob, Forbidden, and Conflict where everybody sees the job, or its account is in no team.
    """

    def change(tx: Tx) -> str:
        job = own_job(tx, account, job_id)
        if not is_shown:
            team_rows.hide_job(tx, job_id)
            return ""
        team = team_rows.team_of(tx, job.account_id)
        if job.private_at is None or team is None:
            raise Conflict("Only a private job can be shown to a team, by an account that is in one.")
        team_rows.show_job(tx, job_id, team.id)
        return team.name

    return farm.db.write(change)


def team_of_job(farm: Farm, job: Job) -> JobTeam | None:
    """Return the team of a job's account, None where that is in none, and whether it sees the job though private."""

    def read(tx: Tx) -> JobTeam | None:
        team = team_rows.team_of(tx, job.account_id)
        return None if team is None else JobTeam(team.name, team_rows.team_seeing(tx, job.id) == team.name)

    return farm.db.read(read)


def share_job(farm: Farm, account: Account, job_id: JobId) -> str:
    """Make a link's token, by which whoever has it sees a job; it is shown only now. Raises UnknownJob, Forbidden."""
    token = secrets.token_urlsafe(24)

    def add(tx: Tx) -> None:
        own_job(tx, account, job_id)
        if sight_rows.count_shares(tx, job_id) >= MOST_SHARES:
            raise Conflict(f"A job has at most {MOST_SHARES} links; revoke them first.")
        sight_rows.add_share(tx, job_id, key_verifier(token), farm.now())

    farm.db.write(add)
    return token


def revoke_shares(farm: Farm, account: Account, job_id: JobId) -> int:
    """Have all links to a job show nothing any more; returns how many. Raises UnknownJob, Forbidden."""

    def revoke(tx: Tx) -> int:
        own_job(tx, account, job_id)
        return sight_rows.revoke_shares(tx, job_id, farm.now())

    return farm.db.write(revoke)


def count_shares(farm: Farm, job_id: JobId) -> int:
    """Return how many links show a job."""
    return farm.db.read(lambda tx: sight_rows.count_shares(tx, job_id))


def shared_job(farm: Farm, token: str) -> JobId:
    """Return the job that a link's token shows; raises UnknownJob."""
    found = farm.db.read(lambda tx: sight_rows.jobs_shared_by(tx, [key_verifier(token)]))
    if not found:
        raise UnknownJob("This link shows nothing: it was revoked, or mistyped.")
    return min(found)


def _is_shared(tx: Tx, viewer: Viewer, job_id: JobId) -> bool:
    return job_id in sight_rows.jobs_shared_by(tx, [key_verifier(token) for token in viewer.shares])
