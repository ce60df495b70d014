"""My webhooks: where I am told of my jobs and machines, how the last deliveries went, and the secret of a new one."""

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import webhooks
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Role
from sheepfold.model.errors import BadInput
from sheepfold.model.notices import Form, Reach, Topic
from sheepfold.web.frame import MEMBER, Visit, on_thread, page_route

DELIVERIES = 10
"""How many of each hook the page tells; the command line and REST tell all."""
_TOPICS = {
    Topic.JOB_DONE: "a job is done",
    Topic.JOB_FAILED: "a job failed",
    Topic.JOB_ATTENTION: "a job wants to be looked at",
    Topic.TASK_BROKEN: "a frame cannot be made",
    Topic.MACHINE_SUSPENDED: "a machine is suspended",
    Topic.REVIEW_CHANGED: "a page changed",
    Topic.PROBLEM_REPORTED: "somebody reports a problem",
    Topic.TEST: "a test",
}


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of webhooks."""
    return [
        page_route(farm, "/account/webhooks", _webhooks, MEMBER),
        page_route(farm, "/account/webhooks", _add, MEMBER, "POST"),
        page_route(farm, "/account/webhooks/{hook_id}", _change, MEMBER, "POST"),
    ]


async def _webhooks(visit: Visit) -> Response:
    return await _show(visit, "")


async def _show(visit: Visit, secret: str) -> Response:
    hooks = await on_thread(webhooks.list_webhooks, visit.farm, visit.account)
    sent = await on_thread(webhooks.newest_deliveries, visit.farm, visit.account, DELIVERIES)
    return visit.page("webhooks.html", hooks=hooks, sent=sent, secret=secret, forms=list(Form), topics=_TOPICS,
                      is_owner=visit.account.role is Role.OWNER)


async def _add(visit: Visit) -> Response:
    fields = await visit.fields()
    form = dict(fields)
    try:
        asked, topics = Form(form.get("form", "")), tuple(Topic(value) for name, value in fields if name == "topic")
        reach = Reach(form.get("reach", Reach.OWN))
    except ValueError as error:
        raise BadInput(f"A webhook cannot be like that: {error}.") from error
    token = form.get("token", "").strip()[:500]
    if not (token.isascii() and (not token or token.isprintable())):
        raise BadInput("A token is made of printable ASCII characters.")
    wanted = webhooks.Wanted(form.get("url", ""), asked, topics, reach, token)
    hook = await on_thread(webhooks.add_webhook, visit.farm, visit.account, wanted)
    return await _show(visit, "" if token else hook.secret)


async def _change(visit: Visit) -> Response:
    hook_id = visit.id("hook_id")
    asked = (await visit.form()).get("deed", "")
    deed = {"test": webhooks.try_webhook, "enable": webhooks.enable_webhook,
            "remove": webhooks.remove_webhook}.get(asked)
    if deed is None:
        raise BadInput("A webhook can be told test, enable or remove.")
    await on_thread(deed, visit.farm, visit.account, hook_id)
    return visit.go("/account/webhooks", {"test": "sent", "remove": "removed"}.get(asked, "saved"))
