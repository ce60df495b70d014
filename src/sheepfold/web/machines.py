"""Machines: mine and what they do, and adding one with the exact words for each client."""

import shutil
import sys
from pathlib import Path

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import accounts, owner, views
from sheepfold.farm.farm import Farm
from sheepfold.farm.rules import read_rules, set_rules
from sheepfold.model.accounts import Role, Scope
from sheepfold.model.errors import MalformedMessage, SheepfoldError
from sheepfold.model.machines import WorkRules
from sheepfold.web.frame import MEMBER, Visit, on_thread, page_route, whole
from sheepfold.web.order import offers, order_sample
from sheepfold.web.program import wheel_name
from sheepfold.web.sign import is_near

SCOPES = (
    (Scope.WORK, "Render", "It fetches work and sends pictures, with our worker or any of the old clients."),
    (Scope.ORDER, "Render and order",
     "Programs order with it too, watch, fetch and cancel, and have teams and webhooks."),
    (Scope.MANAGE, "Everything that you may",
     "Your account as well: its keys, address and password, and for an owner the whole farm. For your own programs "
     "alone: whoever has this key is you."),
)


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of machines."""
    return [
        page_route(farm, "/machines", _machines, MEMBER),
        page_route(farm, "/fragments/machines", _list, MEMBER),
        page_route(farm, "/machines/add", _add_form, MEMBER),
        page_route(farm, "/machines/add", _add, MEMBER, "POST"),
        page_route(farm, "/machines/{name}/rules", _rules, MEMBER, "POST"),
        page_route(farm, "/machines/{name}/{deed}", _change, MEMBER, "POST"),
    ]


async def _machines(visit: Visit) -> Response:
    return await _show(visit, "machines.html")


async def _list(visit: Visit) -> Response:
    return await _show(visit, "machine-list.html")


async def _show(visit: Visit, template: str) -> Response:
    machines = await on_thread(views.machines_of, visit.farm, visit.account)
    at_work = {one.machine_id: one for one in await on_thread(views.at_work, visit.farm, visit.viewer)}
    rules = {one.id: read_rules(one.rules) for one in machines}
    return visit.page(template, machines=machines, at_work=at_work, rules=rules)


async def _add_form(visit: Visit) -> Response:
    return await _asked(visit, "", "", 200)


async def _asked(visit: Visit, trouble: str, name: str, status: int) -> Response:
    """Ask for a machine's name; on a farm that has made nothing yet, for a first picture as well."""
    machines = await on_thread(views.machines_of, visit.farm, visit.account)
    may_order = visit.account.role.covers(Role.ARTIST)
    is_idle = may_order and not await on_thread(views.list_cards, visit.farm, visit.viewer, 1)
    samples = [(kind, sample.title) for kind, offer in offers().items() for sample in offer.samples] if is_idle else []
    scopes = [one for one in SCOPES if may_order or one[0] is not Scope.ORDER]
    return visit.page("machine-add.html", status, made=None, trouble=trouble, name=name, is_first=not machines,
                      samples=samples, scopes=scopes)


async def _add(visit: Visit) -> Response:
    form = await visit.form()
    name = form.get("name", "")[:80]
    asked = form.get("scope", Scope.WORK)
    if asked not in list(Scope):
        raise MalformedMessage(f"A key may work, order or manage; found {asked[:20]!r}.")
    try:
        made = await on_thread(accounts.add_key, visit.farm, visit.account.name, name, Scope(asked))
    except SheepfoldError as error:
        return await _asked(visit, str(error), name, 422)
    kind, _, title = form.get("first", "").partition("/")
    first = await order_sample(visit, kind, title) if title and visit.account.role.covers(Role.ARTIST) else None
    return visit.page("machine-add.html", made=made, first=first, wheel=wheel_name(), program=_program(visit))


def _program(visit: Visit) -> str:
    """Return what to type for our program: on the farm's own machine where it lies, since it may be in no PATH."""
    here = Path(sys.executable).with_name("sheepfold")
    return str(here) if is_near(visit) and here.exists() and shutil.which("sheepfold") is None else "sheepfold"


async def _rules(visit: Visit) -> Response:
    form = await visit.form()
    limit = form.get("load_limit", "").strip() or "0"
    try:
        load_limit = float(limit)
    except ValueError as error:
        raise MalformedMessage(f"A load limit is a number such as 1.5; found {limit[:20]!r}.") from error
    rules = WorkRules(whole({"idle_min": "0"} | {k: v for k, v in form.items() if v}, "idle_min"),
                      form.get("hours", "").replace(" ", ""), form.get("mains_only") == "yes", load_limit)
    await on_thread(set_rules, visit.farm, visit.account, visit.request.path_params["name"], rules)
    return visit.go("/machines", "saved")


async def _change(visit: Visit) -> Response:
    params = visit.request.path_params
    await on_thread(owner.change_machine, visit.farm, visit.account, params["name"], params["deed"])
    form = await visit.form()
    return visit.go("/owner/machines" if form.get("back") == "owner" else "/machines", params["deed"])
