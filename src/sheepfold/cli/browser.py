"""`sheepfold browser`: which browsers a machine makes screenshots with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from sheepfold.cli.office import FolderOption, JsonOption, KeyOption, ServerOption
from sheepfold.cli.options import farm_in
from sheepfold.cli.plain import plain
from sheepfold.farm import browsers
from sheepfold.farm.farm import Farm
from sheepfold.model.browsers import BrowserId
from sheepfold.protocols.rest.browser_calls import BrowserClient
from sheepfold.protocols.rest.browser_wire import BrowserAsked, BrowserOut, FactoryOut

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)

_Machine = Annotated[str, typer.Argument(metavar="MACHINE", help="The machine's name; self is the key's own.")]
_Feature = "enabled, disabled or a version"


class Registry(Protocol):
    """Where browsers are registered; `BrowserClient` does it over the network."""

    def factories(self) -> Sequence[FactoryOut]:
        """Return all machines that have browsers."""
        ...

    def factory(self, machine: str) -> FactoryOut:
        """Return a machine with its browsers."""
        ...

    def add(self, machine: str, asked: BrowserAsked) -> BrowserOut:
        """Register a browser."""
        ...

    def remove(self, machine: str, browser_id: int) -> BrowserOut:
        """Remove a browser."""
        ...


class FolderRegistry:
    """Fulfils `Registry` for a farm in a folder of this machine."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    def factories(self) -> Sequence[FactoryOut]:
        """Return all machines that have browsers."""
        return [FactoryOut.of(one) for one in browsers.list_factories(self._farm)]

    def factory(self, machine: str) -> FactoryOut:
        """Return a machine with its browsers."""
        return FactoryOut.of(browsers.view_factory(self._farm, machine))

    def add(self, machine: str, asked: BrowserAsked) -> BrowserOut:
        """Register a browser."""
        program, screen = asked.program(), asked.a_screen()
        return BrowserOut.of(browsers.add_browser(self._farm, None, machine, program, asked.platform, screen))

    def remove(self, machine: str, browser_id: int) -> BrowserOut:
        """Remove a browser."""
        return BrowserOut.of(browsers.remove_browser(self._farm, None, machine, BrowserId(browser_id)))


@contextmanager
def open_registry(server: str, key: str, data: Path | None) -> Iterator[Registry]:
    """Open the farm that the options name: --server with --key, or --data."""
    if server and key:
        with BrowserClient(server, key) as client:
            yield client
    elif data is not None and not server:
        with farm_in(data) as farm:
            yield FolderRegistry(farm)
    else:
        raise typer.BadParameter("Say which farm: --server URL with --key KEY, or --data DIR.")


@app.callback()
def browser() -> None:
    """Add, list and remove the browsers that a machine makes screenshots with for Browsershots' wire."""


@app.command()
def add(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
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
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
) -> None:
    """Add a browser of MACHINE, or change the one of the same name and version."""
    if not found and not name:
        raise typer.BadParameter("Say which browser: --browser NAME with --version, or --found.")
    screen = None if width is None else {"width": width, "height": height or width * 3 // 4, "bpp": bpp}
    told = {"user_agent": user_agent, "command": command, "javascript": javascript, "java": java, "flash": flash}
    named = [{"name": one, "version": number} for one, number in _found()] if found else [
        {"name": name, "version": version, **told}]
    asked = [_asked(one | {"platform": platform, "screen": screen}) for one in named]
    with open_registry(server, key, data) as registry:
        for one in asked:
            made = registry.add(machine, one)
            typer.echo(f"{machine} has {plain(made.name)} {plain(made.version)}, number {made.id}.")


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


@app.command(name="list")
def list_all(
    machine: Annotated[str, typer.Argument(metavar="[MACHINE]")] = "",
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the browsers of MACHINE, or of all machines."""
    with open_registry(server, key, data) as registry:
        factories = [registry.factory(machine)] if machine else registry.factories()
    if as_json:
        typer.echo(TypeAdapter(list[FactoryOut]).dump_json(list(factories), indent=2))
        return
    table = Table("number", "machine", "platform", "browser", "version", "screens", "state", "User-Agent", box=None)
    for factory in factories:
        screens = " ".join(f"{one.width}x{one.height}x{one.bpp}" for one in factory.screens) or "any"
        for one in factory.browsers:
            state = plain(one.fault) or ("works" if one.uploaded_at else "new")
            table.add_row(str(one.id), factory.machine, factory.platform, plain(one.name), plain(one.version),
                          screens, state, plain(one.user_agent) or "to be learned")
    Console().print(table)


@app.command()
def remove(
    machine: _Machine,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Its number in `browser list`.")],
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
) -> None:
    """Remove the browser NUMBER of MACHINE."""
    with open_registry(server, key, data) as registry:
        gone = registry.remove(machine, number)
    typer.echo(f"{machine} has {plain(gone.name)} {plain(gone.version)} no more.")
