"""Where jobs are ordered and watched: a farm over the network, or one in a folder here, in the same words."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from sheepfold.model.jobs import Terms
from sheepfold.model.tasks import TaskState
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.change_wire import ChangesOut
from sheepfold.protocols.rest.client import FarmClient
from sheepfold.protocols.rest.storage_wire import StorageOut
from sheepfold.protocols.rest.team_wire import TeamList, TeamOut, TeamPage
from sheepfold.protocols.rest.webhook_wire import (
    DeliveryList,
    WebhookAdded,
    WebhookList,
    WebhookMade,
    WebhookOut,
)

ServerOption = Annotated[
    str, typer.Option("--server", envvar="SHEEPFOLD_SERVER", help="The farm's address.", metavar="URL")
]
KeyOption = Annotated[str, typer.Option("--key", envvar="SHEEPFOLD_KEY", help="A machine key that may order.")]
FolderOption = Annotated[
    Path | None, typer.Option("--data", envvar="SHEEPFOLD_DATA", help="Or: the farm's folder here.", metavar="DIR")
]
AccountOption = Annotated[str, typer.Option("--account", help="With --data: for whom; the first owner by default.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ENDINGS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"v/1\x01": "exr"}


class Office(Protocol):
    """What the command line can do with jobs; `FarmClient` does it over the network."""

    def order(self, kind: str, spec: Mapping[str, Any], inputs: Mapping[str, Path] | None = None, title: str = "",
              terms: Terms | None = None) -> wire.JobOrdered:
        """Order a job."""
        ...

    def jobs(self, limit: int = 50, before: int | None = None) -> wire.JobPage:
        """List jobs, the newest first."""
        ...

    def job(self, job_id: int) -> wire.JobDetail:
        """Look at a job."""
        ...

    def wait(self, job_id: int, on_change: Callable[[wire.JobDetail], None] | None = None,
             timeout_s: float | None = None) -> wire.JobDetail:
        """Wait until a job has ended."""
        ...

    def cancel(self, job_id: int) -> wire.JobSummary:
        """Cancel a job."""
        ...

    def change(self, job_id: int, *, priority: int | None = None, private: bool | None = None,
               kept: bool | None = None) -> wire.JobSummary:
        """Change a job's priority, whether others see it, or whether it is kept for ever."""
        ...

    def extend(self, job_id: int, frames: str) -> wire.JobSummary:
        """Add frames to a job."""
        ...

    def render_again(self, job_id: int, frame: int, part: int | None = None) -> wire.JobSummary:
        """Have a frame rendered once more."""
        ...

    def share(self, job_id: int) -> str:
        """Make a link to a job."""
        ...

    def unshare(self, job_id: int) -> int:
        """Revoke all links to a job."""
        ...

    def replace_input(self, job_id: int, name: str, path: Path) -> wire.JobOrdered:
        """Replace an input of a running job."""
        ...

    def storage(self) -> StorageOut:
        """See what lies on the farm's disk, for its owner."""
        ...

    def webhooks(self) -> WebhookList:
        """List this account's webhooks."""
        ...

    def add_webhook(self, asked: WebhookAdded) -> WebhookMade:
        """Add a webhook; its secret is told now alone."""
        ...

    def remove_webhook(self, hook_id: int) -> None:
        """Remove a webhook."""
        ...

    def try_webhook(self, hook_id: int) -> str:
        """Have a test sent to a webhook; returns the delivery's id."""
        ...

    def enable_webhook(self, hook_id: int) -> WebhookOut:
        """Have a disabled webhook told again."""
        ...

    def deliveries(self, hook_id: int) -> DeliveryList:
        """List what was sent to a webhook lately."""
        ...

    def teams(self) -> TeamList:
        """List teams, those whose members earned most first."""
        ...

    def team(self, name: str) -> TeamPage:
        """See a team with its members."""
        ...

    def make_team(self, name: str) -> TeamOut:
        """Make a team and lead it."""
        ...

    def invite_to_team(self, name: str) -> str:
        """Make a link by which whoever has it joins a team."""
        ...

    def join_team(self, invitation: str) -> TeamOut:
        """Join the team that an invitation's code leads to."""
        ...

    def remove_from_team(self, name: str, member: str) -> None:
        """Take a member out of a team, or leave it."""
        ...

    def hand_over_team(self, name: str, member: str) -> TeamPage:
        """Have another member lead a team."""
        ...

    def show_to_team(self, job_id: int, *, is_shown: bool) -> str:
        """Show a private job to the team of its account, or no more; returns the team's name, empty for none."""
        ...

    def prolong(self, job_id: int) -> int | None:
        """Prolong an order of screenshots; returns until when it is worth making, None for ever."""
        ...

    def changes(self, job_id: int) -> ChangesOut:
        """See how a job's pictures differ from the accepted ones."""
        ...

    def report_problem(self, task_id: int, text: str) -> None:
        """Say what is wrong with a task's picture."""
        ...

    def accept(self, job_id: int) -> ChangesOut:
        """Accept a job's pictures."""
        ...

    def download_frames(self, job_id: int, target: Path) -> None:
        """Fetch all frames as one zip."""
        ...

    def download(self, job_id: int, folder: Path) -> list[Path]:
        """Fetch what a job was made into."""
        ...

    def download_picture(self, task_id: int, target: Path) -> str:
        """Fetch a task's picture."""
        ...


@contextmanager
def open_office(server: str, key: str, data: Path | None, account: str = "") -> Iterator[Office]:
    """Open the farm that the options name: --server with --key, or --data."""
    if server and key:
        with FarmClient(server, key) as client:
            yield client
    elif data is not None and not server:
        from sheepfold.cli.folder_office import open_folder_office  # noqa: PLC0415 -- a server's parts

        with open_folder_office(data, account) as office:
            yield office
    else:
        raise typer.BadParameter("Say which farm: --server URL with --key KEY, or --data DIR.")


def download_all(office: Office, job_id: int, folder: Path) -> list[Path]:
    """Fetch what a job was made into, and each of its pictures as `frames/NNNN.png`; returns the files.

    Of a job whose pictures are cleared that is its films alone, if they are still there.
    """
    job = office.job(job_id)
    files = office.download(job_id, folder)
    if job.cleared_at is not None:
        return files
    frames = folder / "frames"
    frames.mkdir(exist_ok=True)
    for task in job.tasks:
        if task.state is TaskState.DONE:
            bare = frames / (f"{task.frame:04d}" + (f"-{task.part}" if task.part else ""))
            office.download_picture(task.id, bare)
            files.append(bare.rename(bare.with_suffix("." + _ending(bare))))
    return files


def _ending(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4)
    return next((ending for magic, ending in ENDINGS.items() if head.startswith(magic)), "bin")
