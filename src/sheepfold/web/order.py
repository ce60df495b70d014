"""Orders, a page for each kind: files by drag and drop, checked and appraised before they are ordered."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import appraisal, views
from sheepfold.farm.farm import Farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.farm.uploads import keep_upload
from sheepfold.kinds.registry import KINDS, optional_module_of
from sheepfold.kinds.seam import Offer
from sheepfold.model.accounts import Account
from sheepfold.model.errors import MalformedMessage, NotFound
from sheepfold.model.jobs import Job
from sheepfold.protocols.direct import judged
from sheepfold.protocols.opening import ordered, sketched
from sheepfold.protocols.rest.alive import SCREENSHOT, alive_list
from sheepfold.protocols.rest.appraisals import appraised
from sheepfold.protocols.rest.errors import Refused
from sheepfold.protocols.rest.forms import OrderForm, order_form, whole_order
from sheepfold.protocols.uploads import spooled_body
from sheepfold.web.frame import ARTIST, HEADERS, Visit, on_thread, page_route

T = TypeVar("T")
RECENT = 3
"""Among so many jobs of a kind one has a picture to show, where any has."""


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of orders."""
    return [
        page_route(farm, "/order", _choose, ARTIST),
        page_route(farm, "/order/{kind}", _form, ARTIST),
        page_route(farm, "/order/{kind}", _order, ARTIST, "POST"),
        page_route(farm, "/order/{kind}/check", _check, ARTIST, "POST"),
        page_route(farm, "/order/{kind}/sketch", _sketch, ARTIST, "POST"),
        page_route(farm, "/order/{kind}/files", _keep, ARTIST, "POST"),
        page_route(farm, "/order/{kind}/sample", _sample, ARTIST, "POST"),
    ]


def offers() -> dict[str, Offer]:
    """Return what the pages offer, by kind: all kinds that have an `offer`."""
    found = {kind: optional_module_of(kind, "offer") for kind in KINDS}
    return {kind: module.offer() for kind, module in found.items() if module is not None}


async def _choose(visit: Visit) -> Response:
    offered = offers()
    newest = {kind: await on_thread(views.list_cards_of_kind, visit.farm, kind, RECENT) for kind in offered}
    pictures = {kind: card.newest[0] for kind, cards in newest.items() for card in reversed(cards) if card.newest}
    return visit.page("order.html", offers=offered, pictures=pictures)


async def _form(visit: Visit) -> Response:
    kind = _kind(visit)
    alive = (await on_thread(alive_list, visit.farm)).browsers if kind == SCREENSHOT else []
    return visit.page(f"{kind}/order.html", kind=kind, offer=offers()[kind], alive=alive)


async def _check(visit: Visit) -> Response:
    kind = _kind(visit)
    async with _filled_in(visit) as form:
        found = await ordered(visit.request, kind, _done, appraised, visit, kind, form)
    return visit.page("appraisal.html", found=found)


async def _order(visit: Visit) -> Response:
    kind = _kind(visit)
    async with _filled_in(visit) as form:
        job = await ordered(visit.request, kind, _done, order_job, visit, kind, form)
    return Response(status_code=201, headers={"Location": f"/jobs/{job.id}"})


@asynccontextmanager
async def _filled_in(visit: Visit) -> AsyncIterator[OrderForm]:
    """Read an order's form as `order_form` does; raises MalformedMessage also where a field of it makes no sense."""
    try:
        async with order_form(visit.request, visit.farm) as form:
            yield form
    except Refused as error:
        raise MalformedMessage(str(error)) from error


def _done(deed: Callable[[Farm, Account, Order], T], visit: Visit, kind: str, form: OrderForm) -> T:
    """Do something with a whole order: its files came with the form, or were sent before."""
    with whole_order(visit.farm, visit.account, form) as order:
        return deed(visit.farm, visit.account, replace(order, kind=kind))


async def _keep(visit: Visit) -> Response:
    """Keep a large file for a day, so that it is sent once, however often an order of it is looked at."""
    _kind(visit)
    async with spooled_body(visit.request, visit.farm, visit.farm.settings.input_limit_bytes) as spooled:
        kept = await judged(keep_upload, visit.farm, visit.account, spooled)
    return Response(status_code=201, headers=HEADERS | {"Upload": kept.id})


async def _sketch(visit: Visit) -> Response:
    kind = _kind(visit)
    async with _filled_in(visit) as form:
        picture = await sketched(visit.request, appraisal.sketch, visit.farm, kind, offers()[kind].sketch, form.inputs)
    return Response(picture, headers=HEADERS, media_type="image/png")


async def _sample(visit: Visit) -> Response:
    job = await order_sample(visit, _kind(visit), (await visit.form()).get("title", ""))
    return visit.go(f"/jobs/{job.id}")


async def order_sample(visit: Visit, kind: str, title: str) -> Job:
    """Order a sample of a kind by its title, for whoever has nothing to order yet; raises NotFound."""
    offered = offers()
    samples = offered[kind].samples if kind in offered else ()
    sample = next((one for one in samples if one.title == title), None)
    if sample is None:
        raise NotFound(f"There is no sample called {title[:40]!r}.")
    asked = Order(kind, sample.spec, dict(sample.inputs), sample.title)
    return await ordered(visit.request, kind, order_job, visit.farm, visit.account, asked)


def _kind(visit: Visit) -> str:
    kind: str = visit.request.path_params["kind"]
    if kind not in offers():
        raise NotFound(f"There is no kind of order called {kind[:40]!r}.")
    return kind
