"""`sheepfold webhook`: where to be told of jobs and machines, over the network or in a farm's folder here."""

from typing import Annotated

import typer

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.paging import AfterIdOption, BeforeOption, LimitOption, listed
from sheepfold.cli.plain import columns, minute, plain
from sheepfold.model.notices import Form, Reach, Topic
from sheepfold.protocols.rest.webhook_wire import DeliveryOut, WebhookAdded

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
HookArgument = Annotated[int, typer.Argument(metavar="ID")]


@app.callback()
def webhook() -> None:
    """Be told over HTTP, or in a chat, when jobs end, tasks break and pictures change."""


@office_command(app)
def add(
    office: Office,
    url: Annotated[str, typer.Argument(metavar="URL")],
    form: Annotated[Form, typer.Option("--form", help="Our own JSON, or what a chat takes.")] = Form.JSON,
    topic: Annotated[list[Topic], typer.Option("--topic", help="What to be told of; all by default.")] = [],  # noqa: B006 -- typer copies it
    farm: Annotated[bool, typer.Option("--farm", help="Of everybody's jobs; for the owner.")] = False,
    token: Annotated[str, typer.Option("--token", envvar="SHEEPFOLD_MATRIX_TOKEN", help="Of a Matrix user.")] = "",
) -> Said:
    """Be told at URL; prints the secret that signs what is sent, which is told now alone."""
    asked = WebhookAdded(url=url, form=form, topics=topic, reach=Reach.FARM if farm else Reach.OWN, token=token)
    made = office.add_webhook(asked)
    secret = "" if made.secret is None else f" Its secret, told now alone: {made.secret}"
    return Said(made, f"Webhook {made.id} is added.{secret}")


@office_command(app, "list")
def list_webhooks(office: Office, limit: LimitOption = 50, after: AfterIdOption = None) -> Said:
    """List your webhooks."""
    page = office.webhooks(limit, after)
    table = columns("id", "form", "reach", "told of", "address", "state")
    for one in page.webhooks:
        state = "works" if one.disabled_at is None else f"disabled: {one.reason}"
        table.add_row(str(one.id), one.form, one.reach, ", ".join(one.topics) or "all", one.url, plain(state))
    return Said(page, listed(page, table))


@office_command(app, "test")
def try_webhook(office: Office, hook_id: HookArgument) -> Said:
    """Have the farm send a test to webhook ID."""
    sent = office.try_webhook(hook_id)
    return Said({"delivery": sent}, f"Delivery {sent} is on its way; `webhook deliveries {hook_id}` tells how.")


@office_command(app)
def enable(office: Office, hook_id: HookArgument) -> Said:
    """Tell webhook ID again after it was disabled."""
    return Said(office.enable_webhook(hook_id), f"Webhook {hook_id} is told again.")


@office_command(app)
def remove(office: Office, hook_id: HookArgument) -> Said:
    """Remove webhook ID, and what was to be sent there."""
    office.remove_webhook(hook_id)
    return Said({"webhook": hook_id}, f"Webhook {hook_id} is removed.")


@office_command(app)
def deliveries(office: Office, hook_id: HookArgument, limit: LimitOption = 50, before: BeforeOption = None) -> Said:
    """List what was sent to webhook ID lately, the newest first."""
    page = office.deliveries(hook_id, limit, before)
    table = columns("delivery", "topic", "queued", "attempts", "state", "answer")
    for one in page.deliveries:
        table.add_row(one.id, one.topic, minute(one.created_at), str(one.attempts), _state(one), plain(one.answer))
    return Said(page, listed(page, table))


def _state(sent: DeliveryOut) -> str:
    if sent.delivered_at is not None:
        return "arrived"
    return "given up" if sent.next_at is None else f"next at {minute(sent.next_at)}"
