"""`sheepfold work`: render for a farm, unattended."""

from pathlib import Path
from typing import Annotated

import typer

from sheepfold.cli.logs import LogForm, LogOption
from sheepfold.kinds.registry import KINDS
from sheepfold.model.errors import BadInput
from sheepfold.protocols.registry import PROTOCOLS
from sheepfold.worker.machine import Options, link_opener, run_worker
from sheepfold.worker.steps import Rules

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


def _protocol(name: str) -> str:
    try:
        link_opener(name)
    except BadInput as error:
        raise typer.BadParameter(str(error)) from error
    return name


def _kind(name: str) -> str:
    if name and name not in KINDS:
        raise typer.BadParameter(f"There is no kind {name!r}; there are {', '.join(KINDS)}.")
    return name


def _server(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"A farm's address begins with http:// or https://; found {url!r}.")
    return url


@app.command()
def work(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    server: Annotated[str, typer.Option(callback=_server, envvar="SHEEPFOLD_SERVER", metavar="URL",
                                        help="The farm's address, such as https://farm.example.org.")],
    key: Annotated[str, typer.Option(envvar="SHEEPFOLD_KEY", show_envvar=True, metavar="KEY",
                                     help="This machine's key. Others see it in the list of processes; the environment "
                                     "variable they do not see.")],
    protocol: Annotated[str, typer.Option(callback=_protocol, metavar=f"[{'|'.join(PROTOCOLS)}]",
                                          help="The language to speak with the farm.")] = "rest",
    kind: Annotated[str, typer.Option(callback=_kind, metavar=f"[{'|'.join(KINDS)}]",
                                      help="Render this kind alone; else all that is installed.")] = "",
    once: Annotated[bool, typer.Option("--once", help="Work until the farm has no more, then exit.")] = False,
    load_limit: Annotated[float | None, typer.Option(min=0.0, metavar="X",
                                                     help="Begin no task while the load average of the last minute is "
                                                     "above X; what this worker renders counts too.")] = None,
    account: Annotated[str, typer.Option(metavar="NAME",
                                         help="Who you are: your nick for electricsheep, your login for sheepit, this "
                                         "machine's name for browsershots; on rest the key alone says it.")] = "",
    folder: Annotated[Path | None, typer.Option(file_okay=False, metavar="DIR",
                                                help="Where to work; each worker needs its own.")] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="Tells workers of this machine apart.")] = "",
    cache_mib: Annotated[int, typer.Option("--cache", min=0, metavar="MIB",
                                           help="Keep up to so much of files that are used again.")] = 4096,
    time_limit_min: Annotated[float, typer.Option("--time-limit", min=0.1, metavar="MINUTES",
                                                  help="Give up a render that takes longer.")] = 360,
    log: LogOption = LogForm.PLAIN,
) -> None:
    """Render for a farm, unattended: claim a task, render it, send the picture, and again.

    Renderers run walled in by bubblewrap, where it works, and with the lowest priority. When the farm is away, pictures
    wait on the disk until it is back, also across a restart.

    Ctrl-C (or SIGTERM) finishes the current task and sends it; a second one gives the task back at once.

    Exit status: 0 when all is well, 1 when the farm refused this machine, when --once found the farm away or the disk
    full, or nothing is installed to render with, 2 when these options make no sense.
    """
    options = Options(server, key, protocol, kind, account, name, folder, Rules(once, load_limit), cache_mib,
                      time_limit_min * 60)
    raise typer.Exit(run_worker(options))
