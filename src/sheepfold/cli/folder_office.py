"""The office of a farm in a folder of this machine; whatever is ordered here, its server will dispatch."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sheepfold.blobs.spool import Digest
from sheepfold.cli.folder_account import FolderAccount
from sheepfold.cli.folder_farm import FolderFarm
from sheepfold.cli.options import farm_in
from sheepfold.farm import baselines, browse, expiry, sight
from sheepfold.farm.chores import PREVIEW_WIDTH
from sheepfold.farm.dispatch import Input, open_blob
from sheepfold.farm.extending import extend_job
from sheepfold.farm.feed import Feed
from sheepfold.farm.frames import list_frames, zipped
from sheepfold.farm.orders import Order, cancel_job, order_job
from sheepfold.farm.problems import report_problem
from sheepfold.farm.remaking import remake
from sheepfold.farm.repeating import render_again
from sheepfold.farm.replacing import replace_input
from sheepfold.farm.retention import keep_job
from sheepfold.farm.sight import Viewer
from sheepfold.farm.views import prioritise, view_card
from sheepfold.model.accounts import Role
from sheepfold.model.jobs import JobId, Terms
from sheepfold.model.tasks import TaskId
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.appraisal_wire import AppraisalOut
from sheepfold.protocols.rest.appraisals import appraised, sketch
from sheepfold.protocols.rest.change_wire import ChangesOut
from sheepfold.protocols.rest.changes import changes_out
from sheepfold.protocols.rest.client import OnSent
from sheepfold.protocols.rest.jobs import job_detail, story_out, task_page
from sheepfold.protocols.rest.watching import POLL_S, watch


class FolderOffice(FolderAccount, FolderFarm):
    """Does for one account of a farm that is opened here what `FarmClient` does over the network."""

    url = ""

    def order(self, kind: str, spec: Mapping[str, Any],  # noqa: PLR0913 -- the last two are given by name
              inputs: Mapping[str, Path] | None = None, title: str = "",
              terms: Terms | None = None, *, private: bool = False, on_sent: OnSent | None = None) -> wire.JobOrdered:
        """Order a job for this account; `on_sent` hears nothing, since nothing is sent."""
        del on_sent
        order = Order(kind, spec, inputs or {}, title, terms or Terms(), is_private=private)
        job = order_job(self._farm, self._account, order)
        return wire.JobOrdered.with_remarks(job, browse.remarks_on(self._farm, job))

    def appraise(self, kind: str, spec: Mapping[str, Any], inputs: Mapping[str, Path] | None = None,
                 terms: Terms | None = None) -> AppraisalOut:
        """Tell what an order would be and cost."""
        order = Order(kind, spec, inputs or {}, "", terms or Terms())
        return appraised(self._farm, self._account, order)

    def sketch(self, kind: str, inputs: Mapping[str, Path], target: Path) -> None:
        """Render the files of an order small and quickly, and write the PNG to `target`."""
        target.write_bytes(sketch(self._farm, kind, inputs))

    def jobs(self, limit: int = 50, before: int | None = None, *, mine: bool = False) -> wire.JobPage:
        """List all jobs, or those of this account, the newest first."""
        of = self._account.id if mine else None
        jobs = browse.list_jobs(self._farm, limit + 1, None if before is None else JobId(before), of=of)
        page = [wire.JobSummary.of(job) for job in jobs[:limit]]
        return wire.JobPage(jobs=page, next=page[-1].id if len(jobs) > limit else None)

    def job(self, job_id: int) -> wire.JobDetail:
        """Look at a job."""
        return job_detail(browse.view_job(self._farm, JobId(job_id)))

    def tasks(self, job_id: int, limit: int = 200, after: str = "") -> wire.TaskPage:
        """Return a page of a job's tasks."""
        view_card(self._farm, JobId(job_id))  # or there is none
        return task_page(self._farm, JobId(job_id), limit, after)

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

    def remake(self, job_id: int) -> int:
        """Have a job's film and previews made after all that the farm gave up."""
        return remake(self._farm, self._account, JobId(job_id))

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

    def download_preview(self, task_id: int, target: Path) -> str:
        """Copy the small JPEG of a task's picture; returns its SHA-256."""
        preview = browse.open_preview(self._farm, TaskId(task_id), PREVIEW_WIDTH)
        _copied(preview, target)
        return preview.digest

    def story(self, task_id: int) -> wire.StoryOut:
        """Return all that happened to a task."""
        return story_out(browse.story(self._farm, TaskId(task_id)))

    def logs(self, story: wire.StoryOut) -> Mapping[int, bytes]:
        """Return what clients logged of the leases of a task, by the leases' ids."""
        return {lease.id: b"".join(open_blob(self._farm, Digest(lease.log)).chunks)
                for lease in story.leases if lease.log is not None}

    def whoami(self) -> wire.Whoami:
        """Return whose hands these are; no machine's."""
        purse = browse.purse_of(self._farm, self._account)
        return wire.Whoami(account=self._account.name, role=self._account.role, machine="", is_suspended=False,
                           may_order=self._account.role.covers(Role.ARTIST), earned=purse.earned, spent=purse.spent)

    def events(self, after: int | None = None, job_id: int | None = None) -> Iterator[wire.EventOut]:
        """Yield events as they happen, without end."""
        start = browse.newest_event_id(self._farm) if after is None else after
        feed = Feed(self._farm, start, None if job_id is None else JobId(job_id), Viewer(self._account))
        while True:
            yield from map(wire.EventOut.of, feed.next())
            time.sleep(POLL_S)

    def download_picture(self, task_id: int, target: Path) -> str:
        """Copy the picture of a task; returns its SHA-256."""
        _, picture = browse.open_picture(self._farm, TaskId(task_id))
        _copied(picture, target)
        return picture.digest


@contextmanager
def open_folder_office(data: Path, account_name: str) -> Iterator[FolderOffice]:
    """Open the farm in a data folder for an account, the first owner (or else artist) where none is named."""
    with farm_in(data) as farm:
        yield FolderOffice(farm, account_name)


def _copied(source: Input, target: Path) -> Path:
    with target.open("wb") as file:
        file.writelines(source.chunks)
    return target
