"""The office of a farm in a folder of this machine; whatever is ordered here, its server will dispatch."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sheepfold.cli.options import farm_in
from sheepfold.farm import baselines, browse, expiry, sight, teams, webhooks
from sheepfold.farm.accounts import find_customer
from sheepfold.farm.dispatch import Input
from sheepfold.farm.extending import extend_job
from sheepfold.farm.farm import Farm
from sheepfold.farm.frames import list_frames, zipped
from sheepfold.farm.orders import Order, cancel_job, order_job
from sheepfold.farm.problems import report_problem
from sheepfold.farm.repeating import render_again
from sheepfold.farm.replacing import replace_input
from sheepfold.farm.retention import keep_job
from sheepfold.farm.storage import read_storage
from sheepfold.farm.views import prioritise
from sheepfold.model.accounts import Account
from sheepfold.model.jobs import JobId, Terms
from sheepfold.model.tasks import TaskId
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.change_wire import ChangesOut
from sheepfold.protocols.rest.changes import changes_out
from sheepfold.protocols.rest.jobs import job_detail
from sheepfold.protocols.rest.storage import storage_out
from sheepfold.protocols.rest.storage_wire import StorageOut
from sheepfold.protocols.rest.team_wire import TeamList, TeamOut, TeamPage
from sheepfold.protocols.rest.teams import team_out, team_page
from sheepfold.protocols.rest.watching import watch
from sheepfold.protocols.rest.webhook_wire import (
    DeliveryList,
    WebhookAdded,
    WebhookList,
    WebhookMade,
    WebhookOut,
)
from sheepfold.protocols.rest.webhooks import delivery_out, wanted, webhook_made, webhook_out


class FolderOffice:
    """Fulfils `Office` for one account of a farm that is opened here."""

    def __init__(self, farm: Farm, account: Account) -> None:
        self._farm = farm
        self._account = account

    def order(self, kind: str, spec: Mapping[str, Any], inputs: Mapping[str, Path] | None = None, title: str = "",
              terms: Terms | None = None) -> wire.JobOrdered:
        """Order a job for this account."""
        order = Order(kind, spec, inputs or {}, title, terms or Terms())
        job = order_job(self._farm, self._account, order)
        return wire.JobOrdered.with_remarks(job, browse.remarks_on(self._farm, job))

    def jobs(self, limit: int = 50, before: int | None = None) -> wire.JobPage:
        """List jobs, the newest first."""
        jobs = browse.list_jobs(self._farm, limit, None if before is None else JobId(before))
        return wire.JobPage(jobs=[wire.JobSummary.of(job) for job in jobs])

    def job(self, job_id: int) -> wire.JobDetail:
        """Look at a job."""
        return job_detail(browse.view_job(self._farm, JobId(job_id)))

    def wait(self, job_id: int, on_change: Callable[[wire.JobDetail], None] | None = None,
             timeout_s: float | None = None) -> wire.JobDetail:
        """Wait until a job has ended and the house has made what it makes of it, or the time is up."""
        return watch(lambda: self.job(job_id), on_change, timeout_s, time.sleep)

    def cancel(self, job_id: int) -> wire.JobSummary:
        """Cancel a job of this account."""
        return wire.JobSummary.of(cancel_job(self._farm, self._account, JobId(job_id)))

    def change(self, job_id: int, *, priority: int | None = None, private: bool | None = None,
               kept: bool | None = None) -> wire.JobSummary:
        """Change the priority of a job of this account, whether others see it, or whether it is kept for ever."""
        job = browse.view_job(self._farm, JobId(job_id)).job
        if private is not None:
            job = sight.set_private(self._farm, self._account, job.id, is_private=private)
        if kept is not None:
            job = keep_job(self._farm, self._account, job.id, is_kept=kept)
        if priority is not None:
            job = prioritise(self._farm, self._account, job.id, priority)
        return wire.JobSummary.of(job)

    def extend(self, job_id: int, frames: str) -> wire.JobSummary:
        """Add frames to a job of this account."""
        return wire.JobSummary.of(extend_job(self._farm, self._account, JobId(job_id), frames))

    def render_again(self, job_id: int, frame: int, part: int | None = None) -> wire.JobSummary:
        """Have a frame of a job of this account rendered once more."""
        return wire.JobSummary.of(render_again(self._farm, self._account, JobId(job_id), frame, part))

    def share(self, job_id: int) -> str:
        """Make a link to a job of this account; where the farm's address is not set, its path."""
        token = sight.share_job(self._farm, self._account, JobId(job_id))
        return f"{self._farm.settings.public_url.rstrip('/')}/shared/{token}"

    def unshare(self, job_id: int) -> int:
        """Revoke all links to a job of this account."""
        return sight.revoke_shares(self._farm, self._account, JobId(job_id))

    def replace_input(self, job_id: int, name: str, path: Path) -> wire.JobOrdered:
        """Replace an input of a running job of this account."""
        job = replace_input(self._farm, self._account, JobId(job_id), name, path)
        return wire.JobOrdered.with_remarks(job, browse.remarks_on(self._farm, job))

    def prolong(self, job_id: int) -> int | None:
        """Prolong an order of screenshots of this account."""
        return expiry.prolong(self._farm, self._account, JobId(job_id))

    def changes(self, job_id: int) -> ChangesOut:
        """See how a job's pictures differ from the accepted ones."""
        return changes_out(baselines.changes_of(self._farm, JobId(job_id)))

    def report_problem(self, task_id: int, text: str) -> None:
        """Say what is wrong with a task's picture."""
        report_problem(self._farm, self._account, TaskId(task_id), text)

    def accept(self, job_id: int) -> ChangesOut:
        """Accept the pictures of a job of this account."""
        baselines.accept(self._farm, self._account, JobId(job_id))
        return self.changes(job_id)

    def storage(self) -> StorageOut:
        """See what lies on the farm's disk, for its owner."""
        return storage_out(read_storage(self._farm, self._account))

    def webhooks(self) -> WebhookList:
        """List this account's webhooks."""
        return WebhookList(webhooks=[webhook_out(one) for one in webhooks.list_webhooks(self._farm, self._account)])

    def add_webhook(self, asked: WebhookAdded) -> WebhookMade:
        """Add a webhook; its secret is told now alone."""
        hook = webhooks.add_webhook(self._farm, self._account, wanted(asked))
        return webhook_made(hook, has_token=bool(asked.token))

    def remove_webhook(self, hook_id: int) -> None:
        """Remove a webhook of this account."""
        webhooks.remove_webhook(self._farm, self._account, hook_id)

    def try_webhook(self, hook_id: int) -> str:
        """Have the farm's house send a test to a webhook."""
        return webhooks.try_webhook(self._farm, self._account, hook_id)

    def enable_webhook(self, hook_id: int) -> WebhookOut:
        """Have a disabled webhook told again."""
        return webhook_out(webhooks.enable_webhook(self._farm, self._account, hook_id))

    def deliveries(self, hook_id: int) -> DeliveryList:
        """List what was sent to a webhook lately."""
        found = webhooks.list_deliveries(self._farm, self._account, hook_id)
        return DeliveryList(deliveries=[delivery_out(one) for one in found])

    def teams(self) -> TeamList:
        """List teams, those whose members earned most first."""
        return TeamList(teams=[team_out(one) for one in teams.list_teams(self._farm)])

    def team(self, name: str) -> TeamPage:
        """See a team with its members."""
        return team_page(teams.view_team(self._farm, name))

    def make_team(self, name: str) -> TeamOut:
        """Make a team that this account leads."""
        return team_out(teams.make_team(self._farm, self._account, name))

    def invite_to_team(self, name: str) -> str:
        """Make a link to join a team; where the farm's address is not set, its path."""
        code = teams.invite(self._farm, self._account, name)
        return f"{self._farm.settings.public_url.rstrip('/')}/invited/{code}"

    def join_team(self, invitation: str) -> TeamOut:
        """Have this account join the team that an invitation's code leads to."""
        return team_out(teams.join(self._farm, self._account, invitation))

    def remove_from_team(self, name: str, member: str) -> None:
        """Take a member out of a team, or leave it."""
        teams.remove(self._farm, self._account, name, member)

    def hand_over_team(self, name: str, member: str) -> TeamPage:
        """Have another member lead a team."""
        teams.hand_over(self._farm, self._account, name, member)
        return self.team(name)

    def show_to_team(self, job_id: int, *, is_shown: bool) -> str:
        """Show a private job to the team of its account, or no more."""
        return sight.show_to_team(self._farm, self._account, JobId(job_id), is_shown=is_shown)

    def download_frames(self, job_id: int, target: Path) -> None:
        """Write all frames as one zip."""
        frames = list_frames(self._farm, JobId(job_id))
        with target.open("wb") as file:
            file.writelines(zipped(self._farm, frames))

    def download(self, job_id: int, folder: Path) -> list[Path]:
        """Copy what a job was made into."""
        folder.mkdir(parents=True, exist_ok=True)
        names = [product.name for product in self.job(job_id).products]
        return [_copied(browse.open_product(self._farm, JobId(job_id), name)[1], folder / name) for name in names]

    def download_picture(self, task_id: int, target: Path) -> str:
        """Copy the picture of a task; returns its SHA-256."""
        _, picture = browse.open_picture(self._farm, TaskId(task_id))
        _copied(picture, target)
        return picture.digest


@contextmanager
def open_folder_office(data: Path, account_name: str) -> Iterator[FolderOffice]:
    """Open the farm in a data folder for an account, the first owner (or else artist) where none is named."""
    with farm_in(data) as farm:
        yield FolderOffice(farm, find_customer(farm, account_name))


def _copied(source: Input, target: Path) -> Path:
    with target.open("wb") as file:
        file.writelines(source.chunks)
    return target
