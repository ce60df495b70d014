"""`sheepfold demo`: everything on this machine, from an order to films, with real renderers and real protocols."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sheepfold.cli import programme
from sheepfold.cli.office import download_all
from sheepfold.cli.stage import Stage, staged, welcome
from sheepfold.kinds.film import make_sheet
from sheepfold.model.errors import Unavailable
from sheepfold.model.jobs import JobState
from sheepfold.protocols.electricsheep.client import ElectricSheepLink
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.client import FarmClient

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
LIMIT_S = 600
LOOK_S = 0.5
SHEET_COLUMNS = 10
SHEET_CELL_PX = 160


@app.command()
def demo(
    data: Annotated[Path, typer.Option("--data", help="Where everything goes.", metavar="DIR")] = Path("data/demo"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where its pages are.")] = 8000,
    once: Annotated[bool, typer.Option("--once", help="End when all is rendered; exit 1 if anything failed.")] = False,
) -> None:
    """Render a flock, a film and a wall of screenshots, a worker for each protocol, and serve them until Ctrl-C."""
    console = Console()
    with staged(data.absolute(), port) as stage, programme.pages_served() as pages_url:
        with FarmClient(stage.url, stage.keys["studio"]) as office:
            jobs = _perform(console, stage, office, pages_url)
            _play(console, stage)
            _show(console, stage, office, jobs)
        if not once:
            _linger(console, stage)
    raise typer.Exit(0 if all(job.state is JobState.DONE for job in jobs) else 1)


def _perform(console: Console, stage: Stage, office: FarmClient, pages_url: str) -> list[wire.JobDetail]:
    """Have both acts made, and return all jobs as they ended.

    The second act is for REST alone, but a Blender frame is any machine's: those of the first act have left by then.
    """
    first = list(programme.first_act(stage, office, pages_url))
    programme.enter(stage, programme.FIRST_MACHINES)
    _watch(console, stage, office, first)
    for machine in programme.FIRST_MACHINES:
        stage.stop(machine)
    second = list(programme.second_act(stage, office, pages_url))
    programme.enter(stage, programme.LAST_MACHINES)
    return _watch(console, stage, office, first + second)


def _watch(console: Console, stage: Stage, office: FarmClient, ordered: list[int]) -> list[wire.JobDetail]:
    """Show how the jobs come along until all have ended and the house has made their films."""
    ends_at = time.monotonic() + LIMIT_S
    told: set[int] = set()
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while time.monotonic() < ends_at:
            jobs = [office.job(job_id) for job_id in ordered]
            if console.is_terminal:
                live.update(_board(stage, jobs))
            else:
                _tell_ended(console, jobs, told)
            if all(job.is_finished for job in jobs):
                break
            if dead := stage.dead():
                logs = stage.folder / "logs"
                raise Unavailable(f"{', '.join(dead)} ended before all was rendered; see {logs}.")
            time.sleep(LOOK_S)
        else:
            raise Unavailable(f"Not all was rendered within {LIMIT_S} s; see {stage.folder / 'logs'}.")
    console.print(_board(stage, jobs))
    return jobs


def _tell_ended(console: Console, jobs: list[wire.JobDetail], told: set[int]) -> None:
    """Print a line for each job that has ended since the last time, where nobody watches a board."""
    for job in jobs:
        if job.is_finished and job.id not in told:
            told.add(job.id)
            console.print(f"Job {job.id}, {job.title}: {job.state}, {job.tasks_done} of {job.tasks_total}")


def _board(stage: Stage, jobs: list[wire.JobDetail]) -> Group:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("job", "title", "", "frames", "being made", "made of them"):
        table.add_column(head)
    for job in jobs:
        busy = sum(task.active_leases for task in job.tasks)
        products = ", ".join(product.name for product in job.products)
        bar = ProgressBar(total=job.tasks_total, completed=job.tasks_done, width=30)
        table.add_row(str(job.id), job.title, bar, f"{job.tasks_done}/{job.tasks_total}", str(busy or ""), products)
    machines = ", ".join(name for name in stage.processes if name != "server")
    return Group(Text(f"Sheepfold at {stage.url}; its machines: {machines}"), table)


def _play(console: Console, stage: Stage) -> None:
    """Do what a screensaver does: fetch the list and each film at its exact size, and vote for the first."""
    films = stage.folder / "films"
    films.mkdir(exist_ok=True)
    state = stage.folder / "machines" / "player"
    with ElectricSheepLink(stage.url, "spot", stage.keys["screensaver"], state, "sheepfold-demo") as player:
        flock = player.fetch_list()
        for one in flock.sheep:
            path = player.download_sheep(one, films)
            console.print(f"Played by its name: {path.name}, {one.size_bytes:,} bytes as listed", highlight=False)
        if flock.sheep:
            player.vote(flock.sheep[0].id, 1)
            rated = next(one for one in player.fetch_list().sheep if one.id == flock.sheep[0].id)
            console.print(f"Voted for sheep {rated.id}: rated {rated.rating} now", highlight=False)


def _show(console: Console, stage: Stage, office: FarmClient, jobs: list[wire.JobDetail]) -> None:
    """Fetch everything, make one contact sheet of it, and say where it lies."""
    pictures: list[Path] = []
    for job in jobs:
        fetched = download_all(office, job.id, stage.folder / "jobs" / str(job.id), lambda _done, _total: None)
        pictures += [path for path in fetched if path.parent.name == "frames"]
    sheet = stage.folder / "contact-sheet.jpg"
    make_sheet(pictures, sheet, SHEET_COLUMNS, SHEET_CELL_PX)
    for what, where in {
        "Pictures and films of each job": stage.folder / "jobs",
        "Films as a screensaver keeps them": stage.folder / "films",
        "Contact sheet of everything": sheet,
        "Logs of server and workers": stage.folder / "logs",
    }.items():
        console.print(f"{what}: {where}", soft_wrap=True, highlight=False)


def _linger(console: Console, stage: Stage) -> None:
    console.print(f"\nStill serving until Ctrl-C: {welcome(stage)}", highlight=False, soft_wrap=True)
    try:
        while not stage.dead():
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        console.print("Ending.")
