"""What people ask before they order: what an order would be and cost, and a quick look at its files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from sheepfold.farm import appraisal
from sheepfold.farm.farm import Farm
from sheepfold.farm.orders import Order
from sheepfold.kinds.registry import optional_module_of
from sheepfold.model.accounts import Account
from sheepfold.protocols.opening import ordered, sketched
from sheepfold.protocols.rest.alive import SCREENSHOT, remarks_on_views
from sheepfold.protocols.rest.appraisal_wire import AppraisalOut
from sheepfold.protocols.rest.callers import CustomerHere, FarmHere
from sheepfold.protocols.rest.forms import ORDER_FORM, OrderForm, order_form, whole_order

router = APIRouter(tags=["jobs"])
_PICTURE: dict[int | str, dict[str, Any]] = {200: {
    "description": "A small PNG.", "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}}


@router.post("/appraisals", summary="Appraise an order", openapi_extra=ORDER_FORM)
async def add_appraisal(request: Request, farm: FarmHere, account: CustomerHere) -> AppraisalOut:
    """Check an order as if it were made, and tell what it would be and cost; nothing is kept of it."""
    async with order_form(request, farm) as form:
        return await ordered(request, form.order.kind, _appraised, farm, account, form)


def _appraised(farm: Farm, account: Account, form: OrderForm) -> AppraisalOut:
    with whole_order(farm, account, form) as order:
        return appraised(farm, account, order)


@router.post("/sketches", response_class=Response, responses=_PICTURE, summary="Sketch an order",
             openapi_extra=ORDER_FORM)
async def add_sketch(request: Request, farm: FarmHere, _: CustomerHere) -> Response:
    """Render the files of an order small and quickly, where its kind can; nothing is kept of it, and only files that
    come with the form are looked at.
    """
    async with order_form(request, farm) as form:
        picture = await sketched(request, sketch, farm, form.order.kind, form.inputs)
    return Response(picture, media_type="image/png", headers={"X-Content-Type-Options": "nosniff"})


def sketch(farm: Farm, kind: str, inputs: Mapping[str, Path]) -> bytes:
    """Render inputs as their kind wishes a quick look; raises InvalidSpec where it has none, or they are none."""
    offers = optional_module_of(kind, "offer")
    quick = offers.offer().sketch if offers is not None else {}
    return appraisal.sketch(farm, kind, quick, inputs)


def appraised(farm: Farm, account: Account, order: Order) -> AppraisalOut:
    """Appraise an order, and write what it would be as pages and the command line too show it; raises InvalidSpec."""
    found = appraisal.appraise(farm, account, order)
    more = remarks_on_views(farm, found.spec) if order.kind == SCREENSHOT else []
    return AppraisalOut(spec=dict(found.spec), tasks=found.tasks, cost_ms=found.cost_ms, millipoints=found.millipoints,
                        machines=found.machines, span_s=found.span_s, remarks=[*found.remarks, *more])
