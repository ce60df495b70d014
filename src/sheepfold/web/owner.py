"""The owner's pages: health, queue, people, machines and quarantine, storage, backup, the check-up, the audit log."""

import shutil
from itertools import islice
from pathlib import Path

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import owner, people, views
from sheepfold.farm.backup import back_up, last_backup
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import Farm
from sheepfold.farm.vitals import view_health
from sheepfold.model.accounts import Role
from sheepfold.model.errors import BadInput
from sheepfold.store.checks import Finding
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
    backup = await on_thread(last_backup, visit.farm)
    return visit.page("owner.html", found=found, storage=found.storage, disk=disk, findings=findings, health=health,
                      backup=backup)


async def _back_up(visit: Visit) -> Response:
    folder = visit.farm.settings.backup_folder
    if not folder:
        raise BadInput("This farm names no folder for backups; its command line makes them into any.")
    await on_thread(back_up, visit.farm, Path(folder), visit.account)
    return visit.go("/owner")


async def _people(visit: Visit) -> Response:
    asked = visit.request.query_params.get("from")
    start = 0 if asked is None else checked_id(asked)
    found = await on_thread(people.list_people, visit.farm)
    return visit.page("owner-people.html", people=found[start:start + LINES], roles=list(Role), count=len(found),
                      later=start + LINES if start + LINES < len(found) else None,
                      earlier=max(0, start - LINES) if start else None)


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
    return visit.go("/owner/people")


async def _machines(visit: Visit) -> Response:
    machines = await on_thread(views.machines_of, visit.farm, None)
    at_work = {one.machine_id: one for one in await on_thread(views.at_work, visit.farm, visit.viewer)}
    shown = sorted(machines, key=lambda one: one.suspended_at is None)
    return visit.page("owner-machines.html", machines=shown, at_work=at_work)


async def _audit(visit: Visit) -> Response:
    asked = visit.request.query_params.get("before")
    lines = await on_thread(owner.read_audit, visit.farm, LINES + 1, None if asked is None else checked_id(asked))
    older = lines[LINES - 1].id if len(lines) > LINES else None
    return visit.page("owner-audit.html", lines=lines[:LINES], older=older)
