"""`sheepfold webhook`: where to be told of jobs and machines, over the network or in a farm's folder here."""

from typing import Annotated

import typer
from pydantic import BaseModel
from rich.table import Table

from sheepfold.cli.office import AccountOption, FolderOption, JsonOption, KeyOption, ServerOption, open_office
from sheepfold.cli.plain import clock, plain_console
from sheepfold.model.notices import Form, Reach, Topic
from sheepfold.protocols.rest.webhook_wire import DeliveryList, DeliveryOut, WebhookAdded, WebhookList

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
HookArgument = Annotated[int, typer.Argument(metavar="ID")]


@app.callback()
def webhook() -> None:
    """Be told over HTTP, or in a chat, when jobs end, tasks break and pictures change."""


@app.command()
def add(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    url: Annotated[str, typer.Argument(metavar="URL")],
    form: Annotated[Form, typer.Option("--form", help="Our own JSON, or what a chat takes.")] = Form.JSON,
    topic: Annotated[list[Topic], typer.Option("--topic", help="What to be told of; all by default.")] = [],  # noqa: B006 -- typer copies it
    farm: Annotated[bool, typer.Option("--farm", help="Of everybody's jobs; for the owner.")] = False,
    token: Annotated[str, typer.Option("--token", envvar="SHEEPFOLD_MATRIX_TOKEN", help="Of a Matrix user.")] = "",
    server: ServerOption = "", key: KeyOption = "", data: FolderOption = None, account: AccountOption = "",
    as_json: JsonOption = False,
) -> None:
    """Be told at URL; prints the secret that signs what is sent, which is told now alone."""
    asked = WebhookAdded(url=url, form=form, topics=topic, reach=Reach.FARM if farm else Reach.OWN, token=token)
    with open_office(server, key, data, account) as office:
        made = office.add_webhook(asked)
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
    elif made.secret is None:
        typer.echo(f"Webhook {made.id} is added.")
    else:
        typer.echo(f"Webhook {made.id} is added. Its secret, told now alone: {made.secret}")


@app.command("list")
def list_webhooks(
    server: ServerOption = "", key: KeyOption = "", data: FolderOption = None, account: AccountOption = "",
    as_json: JsonOption = False,
) -> None:
    """List your webhooks."""
    with open_office(server, key, data, account) as office:
        _print(office.webhooks(), as_json=as_json)


@app.command("test")
def try_webhook(
    hook_id: HookArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Have the farm send a test to webhook ID."""
    with open_office(server, key, data, account) as office:
        typer.echo(f"Delivery {office.try_webhook(hook_id)} is on its way; `webhook deliveries {hook_id}` tells how.")


@app.command()
def enable(
    hook_id: HookArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Tell webhook ID again after it was disabled."""
    with open_office(server, key, data, account) as office:
        office.enable_webhook(hook_id)
    typer.echo(f"Webhook {hook_id} is told again.")


@app.command()
def remove(
    hook_id: HookArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Remove webhook ID, and what was to be sent there."""
    with open_office(server, key, data, account) as office:
        office.remove_webhook(hook_id)
    typer.echo(f"Webhook {hook_id} is removed.")


@app.command()
def deliveries(
    hook_id: HookArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "", as_json: JsonOption = False,
) -> None:
    """List what was sent to webhook ID lately, the newest first."""
    with open_office(server, key, data, account) as office:
        _print(office.deliveries(hook_id), as_json=as_json)


def _print(found: BaseModel, *, as_json: bool) -> None:
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    match found:
        case WebhookList():
            table = Table("id", "form", "reach", "told of", "address", "state", box=None, padding=(0, 2, 0, 0))
            for one in found.webhooks:
                state = "told" if one.disabled_at is None else f"disabled: {one.reason}"
                table.add_row(str(one.id), one.form, one.reach, ", ".join(one.topics) or "all", one.url, state)
        case DeliveryList():
            table = Table("delivery", "topic", "queued", "attempts", "state", "answer", box=None, padding=(0, 2, 0, 0))
            for one_sent in found.deliveries:
                queued, attempts = clock(one_sent.created_at), str(one_sent.attempts)
                table.add_row(one_sent.id, one_sent.topic, queued, attempts, _state(one_sent), one_sent.answer)
    plain_console().print(table)


def _state(sent: DeliveryOut) -> str:
    if sent.delivered_at is not None:
        return "arrived"
    return "given up" if sent.next_at is None else f"next at {clock(sent.next_at)}"
