"""The owner's pages: health, queue, people, machines and quarantine, storage, backup, the check-up, the audit log."""

import shutil
from itertools import islice
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import owner, people, views
from sheepfold.farm.backup import last_backup
from sheepfold.farm.backups import ask_backup, list_backups
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import Farm
from sheepfold.farm.vitals import view_health
from sheepfold.model.accounts import Role
from sheepfold.model.errors import BadInput
from sheepfold.store.findings import Finding
from sheepfold.web.frame import OWNER, Visit, checked_id, on_thread, page_route

LINES = 100


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of the owner."""
    return [
        page_route(farm, "/owner", _overview, OWNER),
        page_route(farm, "/owner/people", _people, OWNER),
        page_route(farm, "/owner/people/{name}", _change, OWNER, "POST"),
        page_route(farm, "/owner/machines", _machines, OWNER),
        page_route(farm, "/owner/audit", _audit, OWNER),
        page_route(farm, "/owner/check", _check, OWNER, "POST"),
        page_route(farm, "/owner/backup", _back_up, OWNER, "POST"),
        page_route(farm, "/fragments/backup", _backup, OWNER),
    ]


async def _overview(visit: Visit) -> Response:
    return await _show(visit, None)


async def _check(visit: Visit) -> Response:
    return await _show(visit, await on_thread(_findings, visit.farm))


def _findings(farm: Farm) -> list[Finding]:
    return list(islice(check(farm), LINES))


async def _show(visit: Visit, findings: list[Finding] | None) -> Response:
    found = await on_thread(views.view_farm, visit.farm)
    disk = await on_thread(shutil.disk_usage, visit.farm.settings.data)
    health = await on_thread(view_health, visit.farm)
    return visit.page("owner.html", found=found, storage=found.storage, disk=disk, findings=findings, health=health,
                      **await _backups(visit))


async def _back_up(visit: Visit) -> Response:
    await on_thread(ask_backup, visit.farm, visit.account)
    return visit.go("/owner", "backup")


async def _backup(visit: Visit) -> Response:
    return visit.page("owner-backup.html", **await _backups(visit))


async def _backups(visit: Visit) -> dict[str, Any]:
    """Return the backup that was asked for last, and the last one that there is."""
    return {"asked": next(iter(await on_thread(list_backups, visit.farm, 1)), None),
            "backup": await on_thread(last_backup, visit.farm)}


async def _people(visit: Visit) -> Response:
    asked = visit.request.query_params
    search = asked.get("search", "")[:80]
    found = await on_thread(people.list_people, visit.farm, LINES + 1, asked.get("after", "")[:48], search)
    later = found[LINES - 1].account.name if len(found) > LINES else None
    return visit.page("owner-people.html", people=found[:LINES], roles=list(Role), search=search, later=later,
                      is_first=not asked.get("after"))


async def _change(visit: Visit) -> Response:
    name: str = visit.request.path_params["name"]
    form = await visit.form()
    match form.get("deed"):
        case "role" if form.get("role") in list(Role):
            await on_thread(owner.change_role, visit.farm, visit.account, name, Role(form["role"]))
        case "close":
            await on_thread(owner.close_account, visit.farm, visit.account, name)
        case "reopen":
            await on_thread(owner.reopen_account, visit.farm, visit.account, name)
        case _:
            raise BadInput("An account can be told role, close or reopen.")
    return visit.go("/owner/people", "saved")


async def _machines(visit: Visit) -> Response:
    machines = await on_thread(views.machines_of, visit.farm, None)
    at_work = {one.machine_id: one for one in await on_thread(views.at_work, visit.farm, visit.viewer)}
    suspended_first = sorted(machines, key=lambda one: one.suspended_at is None)
    asked = visit.request.query_params.get("from")
    start = 0 if asked is None else checked_id(asked)
    return visit.page("owner-machines.html", machines=suspended_first[start:start + LINES], at_work=at_work,
                      count=len(machines), later=start + LINES if start + LINES < len(machines) else None,
                      earlier=max(0, start - LINES) if start else None)


async def _audit(visit: Visit) -> Response:
    asked = visit.request.query_params.get("before")
    lines = await on_thread(owner.read_audit, visit.farm, LINES + 1, None if asked is None else checked_id(asked))
    older = lines[LINES - 1].id if len(lines) > LINES else None
    return visit.page("owner-audit.html", lines=lines[:LINES], older=older)
