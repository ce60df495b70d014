"""What people ask of webhooks: add one, try it, see how its deliveries went, switch it on again, remove it."""

from typing import Annotated

from fastapi import APIRouter, Path

from sheepfold.farm import webhooks
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.callers import CancelerHere, FarmHere
from sheepfold.protocols.rest.making import MakingRoute
from sheepfold.protocols.rest.paging import AfterId, BeforeId, Limit, cut
from sheepfold.protocols.rest.paths import IdInPath
from sheepfold.protocols.rest.webhook_wire import (
    DeliveryList,
    DeliveryOut,
    TestSent,
    WebhookAdded,
    WebhookList,
    WebhookMade,
    WebhookOut,
)
from sheepfold.store.webhooks import Delivery, Hook

router = APIRouter(tags=["webhooks"], route_class=MakingRoute)
HookInPath = Annotated[IdInPath, Path(ge=0, le=wire.MOST_ID, description="The webhook's id.")]


@router.get("/webhooks", summary="List webhooks")
def get_webhooks(farm: FarmHere, account: CancelerHere, limit: Limit = 50, after: AfterId = None) -> WebhookList:
    """List the caller's webhooks, page by page; their secrets are not told again."""
    return webhook_list(farm, account, limit, after)


@router.post("/webhooks", status_code=201, summary="Add a webhook")
def add_webhook(farm: FarmHere, account: CancelerHere, asked: WebhookAdded) -> WebhookMade:
    """Have the caller told at an address; 403 where it is private, or an artist asks for the farm's reach."""
    return webhook_made(webhooks.add_webhook(farm, account, wanted(asked)), has_token=bool(asked.token))


@router.delete("/webhooks/{hook_id}", status_code=204, summary="Remove a webhook")
def remove_webhook(farm: FarmHere, account: CancelerHere, hook_id: HookInPath) -> None:
    """Remove a webhook of the caller, and what was to be sent there."""
    webhooks.remove_webhook(farm, account, hook_id)


@router.post("/webhooks/{hook_id}/test", status_code=202, summary="Try a webhook")
def try_webhook(farm: FarmHere, account: CancelerHere, hook_id: HookInPath) -> TestSent:
    """Send a message of the topic `test`; 409 where the webhook is disabled."""
    return TestSent(delivery=webhooks.try_webhook(farm, account, hook_id))


@router.post("/webhooks/{hook_id}/enable", summary="Enable a webhook")
def enable_webhook(farm: FarmHere, account: CancelerHere, hook_id: HookInPath) -> WebhookOut:
    """Tell a disabled webhook again; what happened meanwhile is not told."""
    return webhook_out(webhooks.enable_webhook(farm, account, hook_id))


@router.get("/webhooks/{hook_id}/deliveries", summary="List deliveries")
def get_deliveries(
    farm: FarmHere, account: CancelerHere, hook_id: HookInPath, limit: Limit = 50, before: BeforeId = None
) -> DeliveryList:
    """List what was sent to a webhook lately, the newest first, page by page."""
    return delivery_list(farm, account, hook_id, limit, before)


def wanted(asked: WebhookAdded) -> webhooks.Wanted:
    """Read what is asked for."""
    return webhooks.Wanted(asked.url, asked.form, asked.topics, asked.reach, asked.token)


def webhook_list(farm: Farm, account: Account, limit: int, after: int | None) -> WebhookList:
    """Write a page of an account's webhooks."""
    page, following = cut(webhooks.list_webhooks(farm, account, limit + 1, after or 0), limit, lambda one: one.id)
    return WebhookList(webhooks=[webhook_out(one) for one in page], next=following)


def delivery_list(farm: Farm, account: Account, hook_id: int, limit: int, before: int | None) -> DeliveryList:
    """Write a page of what was sent to a webhook."""
    found = webhooks.list_deliveries(farm, account, hook_id, limit + 1, before)
    page, following = cut(found, limit, lambda one: one.id)
    return DeliveryList(deliveries=[_delivery_out(one) for one in page], next=following)


def webhook_out(hook: Hook) -> WebhookOut:
    """Write a webhook, without its secret."""
    return WebhookOut(id=hook.id, url=hook.url, form=hook.form, topics=list(hook.topics), reach=hook.reach,
                      created_at=hook.created_at, disabled_at=hook.disabled_at, reason=hook.reason)


def webhook_made(hook: Hook, *, has_token: bool) -> WebhookMade:
    """Write a new webhook with its secret, which is told now alone."""
    return WebhookMade(secret=None if has_token else hook.secret, **webhook_out(hook).model_dump())


def _delivery_out(delivery: Delivery) -> DeliveryOut:
    return DeliveryOut(id=delivery.notice, topic=delivery.topic, created_at=delivery.created_at,
                       attempts=delivery.attempts, delivered_at=delivery.delivered_at, next_at=delivery.next_at,
                       answer=delivery.answer)
