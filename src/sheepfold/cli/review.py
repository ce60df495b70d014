"""`sheepfold review`: shoot a page, and say what changed since its pictures were accepted; made for CI."""

from typing import Annotated

import typer

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.order import browsers_in, numbers_in
from sheepfold.cli.progress import progress
from sheepfold.model.jobs import JobState, Terms
from sheepfold.protocols.rest.change_wire import ChangesOut, ViewOut

CHANGED, UNFINISHED = 1, 3
"""Exit statuses: something changed or could not be shot; the time was up."""
app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@office_command(app)
def review(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    office: Office,
    url: Annotated[str, typer.Argument(metavar="URL")],
    browser: Annotated[str, typer.Option(help="Such as chromium,firefox or firefox 115.")] = "chromium,firefox",
    width: Annotated[str, typer.Option(help="How wide in pixels, such as 390,1280.")] = "390,1280",
    name: Annotated[str, typer.Option(help="The baseline's name; else the URL itself.")] = "",
    tolerance: Annotated[float, typer.Option(help="How much of a picture may differ, in percent.")] = 0.01,
    dark: Annotated[bool, typer.Option("--dark", help="Tell the page that its readers want the dark.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for all pictures; exit 3 when they are over.")] = 900,
) -> Said:
    """Shoot the page at URL and hold it against the accepted pictures.

    Exit 0 where nothing changed, 1 where something did or could not be shot. The first pictures of a name are accepted
    by themselves.
    """
    spec = {"url": url, "browsers": browsers_in(browser), "widths": numbers_in(width), "mode": "page", "dark": dark,
            "reduced_motion": True, "baseline": name or url, "tolerance": tolerance}  # fmt: skip
    job_id = office.order("screenshot", spec, {}, name or url, Terms()).id
    with progress(f"Job {job_id}") as step:
        ended = office.wait(job_id, lambda seen: step(seen.tasks_done, seen.tasks_total), timeout)
    if not ended.is_finished:
        typer.echo(f"Job {job_id} is not done after {timeout:g} seconds.", err=True)
        raise typer.Exit(UNFINISHED)
    if ended.state is not JobState.DONE:
        typer.echo(f"Job {job_id} is {ended.state}; its tasks tell why: sheepfold job show {job_id}", err=True)
        raise typer.Exit(CHANGED)
    found = office.changes(job_id)
    return Said(found, change_lines(found, office.url), CHANGED if found.changed else 0)


def change_lines(found: ChangesOut, server: str) -> str:
    """Write a line for each view, and where to look."""
    lines = [f"{view.browser} {view.version}".strip() + f", {view.width} px: {_said(view)}" for view in found.views]
    if found.changed and not found.accepted:
        where = f"{server.rstrip('/')}/shots/{found.job}/changes" if server else f"job {found.job}"
        lines.append(f"Look at {where}; to accept: sheepfold job accept {found.job}")
    return "\n".join(lines)


def _said(view: ViewOut) -> str:
    if view.state != "changed":
        return view.state
    places = ", ".join(f"{region.height} rows from {region.top}" for region in view.regions[:3])
    more = f" and {len(view.regions) - 3} places more" if len(view.regions) > 3 else ""
    return f"changed, {100 * view.share:.2f} % of it" + (f" ({places}{more})" if places else "")
