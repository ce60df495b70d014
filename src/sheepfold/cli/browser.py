"""`sheepfold browser`: which browsers a machine makes screenshots with."""

from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Group

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.paging import AfterOption, LimitOption, listed
from sheepfold.cli.plain import columns, plain
from sheepfold.protocols.rest.browser_wire import BrowserAsked, FactoryList

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)

_Machine = Annotated[str, typer.Argument(metavar="MACHINE", help="The machine's name; self is the key's own.")]
_Feature = "enabled, disabled or a version"


@app.callback()
def browser() -> None:
    """Add, list and remove the browsers that a machine makes screenshots with for Browsershots' wire."""


@office_command(app)
def add(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    office: Office,
    machine: _Machine,
    name: Annotated[str, typer.Option("--browser", help="Such as firefox, chromium or Opera.")] = "",
    version: Annotated[str, typer.Option("--version", help="Such as 115.0; else as the User-Agent tells.")] = "",
    user_agent: Annotated[str, typer.Option(help="What it calls itself; else its first visit teaches it.")] = "",
    command: Annotated[str, typer.Option(help="How the factory starts it; else by its own idea.")] = "",
    platform: Annotated[str, typer.Option(help="linux, windows, mac os or bsd; linux at first.")] = "",
    width: Annotated[int | None, typer.Option(min=100, max=8000, metavar="PIXELS",
                                                help="How wide a screen it can set up; else it makes all.")] = None,
    height: Annotated[int | None, typer.Option(min=100, max=8000, help="How high that screen is, in pixels.")] = None,
    bpp: Annotated[int, typer.Option(min=1, max=32, help="The colour depth of that screen, in bits a pixel.")] = 24,
    javascript: Annotated[str, typer.Option(help=f"{_Feature}.")] = "enabled",
    java: Annotated[str, typer.Option(help=f"{_Feature}.")] = "disabled",
    flash: Annotated[str, typer.Option(help=f"{_Feature}.")] = "disabled",
    found: Annotated[bool, typer.Option("--found", help="Add every browser of this computer, as it is.")] = False,
) -> Said:
    """Add a browser of MACHINE, or change the one of the same name and version."""
    if not found and not name:
        raise typer.BadParameter("Say which browser: --browser NAME with --version, or --found.")
    screen = None if width is None else {"width": width, "height": height or width * 3 // 4, "bpp": bpp}
    told = {"user_agent": user_agent, "command": command, "javascript": javascript, "java": java, "flash": flash}
    named = [{"name": one, "version": number} for one, number in _found()] if found else [
        {"name": name, "version": version, **told}]
    asked = [_asked(one | {"platform": platform, "screen": screen}) for one in named]
    made = [office.add_browser(machine, one) for one in asked]
    lines = [f"{machine} has {plain(one.name)} {plain(one.version)}, number {one.id}." for one in made]
    return Said({"browsers": [one.model_dump(mode="json") for one in made]}, "\n".join(lines))


def _asked(told: dict[str, Any]) -> BrowserAsked:
    try:
        return BrowserAsked.model_validate(told)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise typer.BadParameter(said) from error


def _found() -> list[tuple[str, str]]:
    from sheepfold.kinds.screenshot.shooting.browsers import installed  # noqa: PLC0415 -- asks programs of this machine

    browsers_here = [(one.name, one.version) for one in installed()]
    if not browsers_here:
        raise typer.BadParameter("There is no browser here that our factory knows.")
    return browsers_here


@office_command(app, "list")
def list_all(
    office: Office, machine: Annotated[str, typer.Argument(metavar="[MACHINE]")] = "", limit: LimitOption = 50,
    after: AfterOption = "",
) -> Said:
    """List the browsers of MACHINE, or of all machines by their names, so many machines at most."""
    page = FactoryList(factories=[office.factory(machine)]) if machine else office.factories(limit, after)
    table, agents = columns("number", "machine", "platform", "browser", "version", "screens", "state"), []
    for factory in page.factories:
        screens = " ".join(f"{one.width}x{one.height}x{one.bpp}" for one in factory.screens) or "any"
        for one in factory.browsers:
            state = plain(one.fault) or ("works" if one.uploaded_at else "new")
            table.add_row(str(one.id), factory.machine, factory.platform, plain(one.name), plain(one.version),
                          screens, state)
            agents.append(f"{one.id}: {plain(one.user_agent) or 'User-Agent to be learned'}")
    return Said(page, listed(page, table, *(agents if machine else [])))  # of all machines they would fill the screen


@office_command(app)
def alive(office: Office) -> Said:
    """List the browsers of machines that are here now: what an order can ask for at once."""
    found = office.alive_browsers()
    table = columns("platform", "browser", "engine", "versions", "sizes", "machines")
    for one in found.browsers:
        sizes = " ".join(f"{width}x{height}" for width, height in one.sizes) or "any"
        table.add_row(plain(one.platform), plain(one.name), one.engine, plain(" ".join(one.versions)), sizes,
                      str(one.machines))
    none = [] if found.browsers else ["No machine with a browser is here; an order waits until one comes."]
    return Said(found, Group(table, *none))


@office_command(app)
def remove(
    office: Office, machine: _Machine,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Its number in `browser list`.")],
) -> Said:
    """Remove the browser NUMBER of MACHINE."""
    gone = office.remove_browser(machine, number)
    return Said(gone, f"{machine} has {plain(gone.name)} {plain(gone.version)} no more.")
