"""Where jobs are ordered and watched: a farm over the network, or one in a folder here, in the same words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sheepfold.model.tasks import TaskState
from sheepfold.protocols.rest.client import FarmClient

_PANEL = "Which farm"
ServerOption = Annotated[str, typer.Option("--server", envvar="SHEEPFOLD_SERVER", help="The farm's address.",
                                           metavar="URL", rich_help_panel=_PANEL)]
KeyOption = Annotated[str, typer.Option("--key", envvar="SHEEPFOLD_KEY", help="With --server: a key, such as "
                                        "`machine add` makes.", metavar="KEY", rich_help_panel=_PANEL)]
FolderOption = Annotated[Path | None, typer.Option("--data", envvar="SHEEPFOLD_DATA", metavar="DIR", file_okay=False,
                                                   help="Or: the farm's folder here.", rich_help_panel=_PANEL)]
AccountOption = Annotated[str, typer.Option("--account", help="With --data: for whom; the first owner by default.",
                                            metavar="NAME", rich_help_panel=_PANEL)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ENDINGS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"v/1\x01": "exr"}


if TYPE_CHECKING:
    from sheepfold.cli.folder_office import FolderOffice

    Office = FarmClient | FolderOffice
    """Where commands find a farm: both offices do the same, in the same words."""
else:
    Office = FarmClient  # the other one needs a server's parts, which a volunteer has not


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


def download_all(office: Office, job_id: int, folder: Path, step: Callable[[int, int], None]) -> list[Path]:
    """Fetch what a job was made into, and each of its pictures as `frames/NNNN.png`; returns the files.

    `step` is told how many there are so far, and of how many. Of a job whose pictures are cleared that is its films
    alone, if they are still there.
    """
    job = office.job(job_id)
    done = [] if job.cleared_at is not None else [task for task in job.tasks if task.state is TaskState.DONE]
    files = office.download(job_id, folder)
    total = len(files) + len(done)
    frames = folder / "frames"
    if done:
        frames.mkdir(exist_ok=True)
    for task in done:
        step(len(files), total)
        bare = frames / (f"{task.frame:04d}" + (f"-{task.part}" if task.part else ""))
        office.download_picture(task.id, bare)
        files.append(bare.rename(bare.with_suffix("." + _ending(bare))))
    step(len(files), total)
    return files


def _ending(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4)
    return next((ending for magic, ending in ENDINGS.items() if head.startswith(magic)), "bin")
