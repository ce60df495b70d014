"""Rights: who may order, and who may change a job or a machine, which are its own account and the farm's owner."""

from sheepfold.model.accounts import Account, Role
from sheepfold.model.errors import Forbidden, JobEnded
from sheepfold.model.jobs import Job, JobId, JobState
from sheepfold.model.machines import Machine
from sheepfold.store import accounts as account_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store.database import Tx


def check_may_order(account: Account) -> None:
    """Raise Forbidden for an account that only renders."""
    if not account.role.covers(Role.ARTIST):
        raise Forbidden(f"{account.name} is a {account.role} and may not order.")


def own_job(tx: Tx, account: Account, job_id: JobId) -> Job:
    """Return a job that an account may change; raises UnknownJob, Forbidden."""
    job = job_rows.job_of(tx, job_id)
    if job.account_id != account.id and account.role is not Role.OWNER:
        raise Forbidden(f"Job {job_id} belongs to another account.")
    return job


def own_running_job(tx: Tx, account: Account, job_id: JobId) -> Job:
    """Return a running job that an account may change; raises UnknownJob, Forbidden, JobEnded."""
    job = own_job(tx, account, job_id)
    if job.state is not JobState.RUNNING:
        raise JobEnded(f"Job {job_id} is {job.state} already.")
    return job


def own_machine(tx: Tx, account: Account | None, name: str) -> Machine:
    """Return a machine that an account may change, the console (None) any; raises UnknownMachine, Forbidden."""
    machine = account_rows.machine_named(tx, name)
    if account is not None and account.id != machine.account_id and account.role is not Role.OWNER:
        raise Forbidden(f"The machine {machine.name} belongs to another account.")
    return machine
