"""The part of the REST wire that tells of webhooks: what is asked of them, and what is told."""

from typing import Annotated, ClassVar

from pydantic import Field

from sheepfold.model.notices import Form, Reach, Topic
from sheepfold.protocols.rest.wire import Asked, Count, Told


class WebhookAdded(Asked):
    """A webhook to add; no topics mean all. `token` is a Matrix user's, for an address of a server's client API."""

    url: Annotated[str, Field(min_length=1, max_length=1000)]
    form: Form = Form.JSON
    topics: Annotated[list[Topic], Field(max_length=20, default_factory=list)]
    reach: Reach = Reach.OWN
    token: Annotated[str, Field(max_length=500, pattern=r"^[!-~]*$")] = ""


class WebhookOut(Told):
    """A webhook; `reason` says why it was disabled."""

    id: int
    url: str
    form: Form
    topics: list[Topic]
    reach: Reach
    created_at: int
    disabled_at: int | None
    reason: str


class WebhookMade(WebhookOut):
    """A new webhook with the secret that signs what is sent, told now alone; null where it has a token."""

    secret: str | None


class WebhookList(Told):
    """The caller's webhooks, the oldest first; `next` is the `after` of the following page, absent on the last."""

    turn: ClassVar[str] = "after"
    webhooks: list[WebhookOut]
    next: int | None = None

    @property
    def rows(self) -> list[WebhookOut]:
        """Return the webhooks."""
        return self.webhooks


class TestSent(Told):
    """The id of the delivery that is on its way."""

    __test__ = False
    delivery: str


class DeliveryOut(Told):
    """A message to a webhook: it arrived at `delivered_at`, is tried again at `next_at`, or was given up."""

    id: str
    topic: Topic
    created_at: int
    attempts: Count
    delivered_at: int | None
    next_at: int | None
    answer: str


class DeliveryList(Told):
    """What was sent to a webhook, the newest first; `next` is the `before` of the page that follows, if any does."""

    turn: ClassVar[str] = "before"
    deliveries: list[DeliveryOut]
    next: int | None = None

    @property
    def rows(self) -> list[DeliveryOut]:
        """Return the deliveries."""
        return self.deliveries
