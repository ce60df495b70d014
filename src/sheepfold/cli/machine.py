"""`sheepfold machine`: pause, resume and stop machines, and say when they may work; from afar, or in a folder."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from sheepfold.cli.office import FolderOption, KeyOption, ServerOption
from sheepfold.model.machines import WorkRules
from sheepfold.protocols.rest.client import FarmClient
from sheepfold.protocols.rest.machine_wire import MachineRules

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
_Machine = Annotated[str, typer.Argument(metavar="MACHINE")]


@app.callback()
def machine() -> None:
    """Pause, resume and stop machines, and say when they may work."""


@app.command()
def pause(name: _Machine, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None) -> None:
    """Have MACHINE give back what it renders, and get no more."""
    _tell(name, "pause", server, key, data)


@app.command()
def resume(name: _Machine, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None) -> None:
    """Let MACHINE work again."""
    _tell(name, "resume", server, key, data)


@app.command()
def stop(name: _Machine, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None) -> None:
    """End our worker on MACHINE; started again, it works again."""
    _tell(name, "stop", server, key, data)


@app.command()
def rules(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    name: _Machine,
    idle: Annotated[int | None, typer.Option(min=0, metavar="MINUTES",
                                             help="Only when nobody used it for so long; 0: always.")] = None,
    hours: Annotated[str | None, typer.Option(metavar="H-H", help="Only within these hours of its own clock, such as "
                                              "22-6; empty: all day.")] = None,
    mains: Annotated[bool | None, typer.Option("--mains/--battery", help="Only on mains, or on battery too.")] = None,
    load: Annotated[float | None, typer.Option(min=0.0, metavar="X", help="Begin nothing above this load average; 0: "
                                               "it does not matter.")] = None,
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
) -> None:
    """Say when MACHINE may work, and print it; what is not said stays. Our worker obeys within half a minute."""
    said = {"idle_min": idle, "hours": hours, "mains_only": mains, "load_limit": load}
    wanted = {name_: value for name_, value in said.items() if value is not None}
    typer.echo(_words(_ruled(name, wanted, server, key, data)))


def _ruled(name: str, wanted: dict[str, Any], server: str, key: str, data: Path | None) -> WorkRules:
    if data is None:
        with _client(server, key) as client:
            known = client.rules(name).to_model()
            new = replace(known, **wanted)
            return client.set_rules(name, MachineRules.of(new)).to_model() if wanted else known
    from sheepfold.cli.options import farm_in  # noqa: PLC0415 -- a server's parts
    from sheepfold.farm.rules import rules_of, set_rules  # noqa: PLC0415

    with farm_in(data) as farm:
        new = replace(rules_of(farm, None, name), **wanted)
        if wanted:
            set_rules(farm, None, name, new)
        return new


def _tell(name: str, command: str, server: str, key: str, data: Path | None) -> None:
    if data is None:
        with _client(server, key) as client:
            client.command(name, command)
    else:
        from sheepfold.cli.options import farm_in  # noqa: PLC0415 -- a server's parts
        from sheepfold.farm.owner import change_machine  # noqa: PLC0415

        with farm_in(data) as farm:
            change_machine(farm, None, name, command)
    typer.echo(f"Told {name} to {command}.")


def _client(server: str, key: str) -> FarmClient:
    if not (server and key):
        raise typer.BadParameter("Say which farm: --server URL with --key KEY, or --data DIR.")
    return FarmClient(server, key)


def _words(rules: WorkRules) -> str:
    said = [f"after {rules.idle_min} minutes without anybody" if rules.idle_min else "",
            f"from {rules.hours.replace('-', ' to ')} o'clock" if rules.hours else "",
            "on mains alone" if rules.mains_only else "",
            f"below load {rules.load_limit:g}" if rules.load_limit else ""]
    return "It works " + (", ".join(part for part in said if part) or "always") + "."
