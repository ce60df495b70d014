"""`sheepfold review`: shoot a page, and say what changed since its pictures were accepted; made for CI."""

from typing import Annotated

import typer

from sheepfold.cli.office import AccountOption, FolderOption, JsonOption, KeyOption, ServerOption, open_office
from sheepfold.cli.order import browsers_in, numbers_in
from sheepfold.model.jobs import JobState, Terms
from sheepfold.protocols.rest.change_wire import ChangesOut, ViewOut

CHANGED, UNFINISHED = 1, 3
"""Exit statuses: something changed or could not be shot; the time was up."""
app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def review(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    url: Annotated[str, typer.Argument(metavar="URL")],
    browser: Annotated[str, typer.Option(help="Such as chromium,firefox or firefox 115.")] = "chromium,firefox",
    width: Annotated[str, typer.Option(help="How wide in pixels, such as 390,1280.")] = "390,1280",
    name: Annotated[str, typer.Option(help="The baseline's name; else the URL itself.")] = "",
    tolerance: Annotated[float, typer.Option(help="How much of a picture may differ, in percent.")] = 0.01,
    as_json: JsonOption = False,
    dark: Annotated[bool, typer.Option("--dark", help="Tell the page that its readers want the dark.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for all pictures; exit 3 when they are over.")] = 900,
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Shoot the page at URL and hold it against the accepted pictures.

    Exit 0 where nothing changed, 1 where something did or could not be shot. The first pictures of a name are accepted
    by themselves.
    """
    spec = {"url": url, "browsers": browsers_in(browser), "widths": numbers_in(width), "mode": "page", "dark": dark,
            "reduced_motion": True, "baseline": name or url, "tolerance": tolerance}  # fmt: skip
    with open_office(server, key, data, account) as office:
        job_id = office.order("screenshot", spec, {}, name or url, Terms()).id
        ended = office.wait(job_id, None, timeout)
        if not ended.is_finished:
            typer.echo(f"Job {job_id} is not done after {timeout:g} seconds.", err=True)
            raise typer.Exit(UNFINISHED)
        if ended.state is not JobState.DONE:
            typer.echo(f"Job {job_id} is {ended.state}; its tasks tell why: sheepfold job show {job_id}", err=True)
            raise typer.Exit(CHANGED)
        found = office.changes(job_id)
    print_changes(found, server, as_json=as_json)
    raise typer.Exit(CHANGED if found.changed else 0)


def print_changes(found: ChangesOut, server: str, *, as_json: bool) -> None:
    """Print a line for each view, and where to look; or all of it as JSON."""
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    for view in found.views:
        typer.echo(f"{view.browser} {view.version}".strip() + f", {view.width} px: {_said(view)}")
    if found.changed and not found.accepted:
        where = f"{server.rstrip('/')}/shots/{found.job}/changes" if server else f"job {found.job}"
        typer.echo(f"Look at {where}; to accept: sheepfold job accept {found.job}")


def _said(view: ViewOut) -> str:
    if view.state != "changed":
        return view.state
    places = ", ".join(f"{region.height} rows from {region.top}" for region in view.regions[:3])
    more = f" and {len(view.regions) - 3} places more" if len(view.regions) > 3 else ""
    return f"changed, {100 * view.share:.2f} % of it" + (f" ({places}{more})" if places else "")
