"""Orders, a page for each kind: files by drag and drop, checked and appraised before they are ordered."""

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import appraisal, views
from sheepfold.farm.browsers import list_factories
from sheepfold.farm.farm import Farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.model.errors import MissingParameter, NotFound
from sheepfold.protocols.rest.forms import OrderForm, order_form
from sheepfold.protocols.uploads import judged
from sheepfold.web.frame import ARTIST, HEADERS, Visit, on_thread, page_route

KINDS = ("flame", "blender", "screenshot")
RECENT = 3
"""Among so many jobs of a kind one has a picture to show, where any has."""


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of orders."""
    return [
        page_route(farm, "/order", _choose, ARTIST),
        page_route(farm, "/order/{kind}", _form, ARTIST),
        page_route(farm, "/order/{kind}", _order, ARTIST, "POST"),
        page_route(farm, "/order/{kind}/check", _check, ARTIST, "POST"),
        page_route(farm, "/order/flame/sketch", _sketch, ARTIST, "POST"),
    ]


async def _choose(visit: Visit) -> Response:
    newest = {kind: await on_thread(views.list_cards_of_kind, visit.farm, kind, RECENT) for kind in KINDS}
    pictures = {kind: card.newest[0] for kind, cards in newest.items() for card in reversed(cards) if card.newest}
    return visit.page("order.html", pictures=pictures)


async def _form(visit: Visit) -> Response:
    kind = _kind(visit)
    factories = await on_thread(list_factories, visit.farm) if kind == "screenshot" else []
    alive = sorted({(one.program.name, factory.platform) for factory in factories if factory.is_active(visit.farm.now())
                    for one in factory.browsers})
    return visit.page(f"order-{kind}.html", alive=alive)


async def _check(visit: Visit) -> Response:
    _kind(visit)
    async with order_form(visit.request, visit.farm) as form:
        found = await judged(appraisal.appraise, visit.farm, visit.account, _asked(visit, form))
    return visit.page("appraisal.html", found=found)


async def _order(visit: Visit) -> Response:
    _kind(visit)
    async with order_form(visit.request, visit.farm) as form:
        job = await judged(order_job, visit.farm, visit.account, _asked(visit, form))
    return Response(status_code=201, headers={"Location": f"/jobs/{job.id}"})


async def _sketch(visit: Visit) -> Response:
    async with order_form(visit.request, visit.farm) as form:
        if "genome" not in form.inputs:
            raise MissingParameter("A sketch needs a genome.")
        picture = await judged(appraisal.sketch, visit.farm, form.inputs["genome"])
    return Response(picture, headers=HEADERS, media_type="image/png")


def _asked(visit: Visit, form: OrderForm) -> Order:
    asked = form.order
    return Order(_kind(visit), asked.spec, form.inputs, asked.title, asked.terms(), is_private=asked.private)


def _kind(visit: Visit) -> str:
    kind: str = visit.request.path_params["kind"]
    if kind not in KINDS:
        raise NotFound(f"There is no kind of order called {kind[:40]!r}.")
    return kind
