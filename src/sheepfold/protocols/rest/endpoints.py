"""The REST API as one application: an OpenAPI 3.1 document, a page that shows it, and the routes of version 1."""

import importlib.metadata
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute, Mount

from sheepfold.farm.farm import Farm
from sheepfold.protocols.bell import Bell
from sheepfold.protocols.rest import (
    account,
    alterations,
    appraisals,
    browsers,
    changes,
    docs,
    events,
    flock,
    jobs,
    leases,
    overseeing,
    owner,
    resumable,
    storage,
    teams,
    webhooks,
)
from sheepfold.protocols.rest.errors import add_handlers
from sheepfold.protocols.rest.examples import add_examples
from sheepfold.protocols.rest.express import express_routes
from sheepfold.protocols.rest.problem_wire import PROBLEM_MEDIA_TYPE, Problem
from sheepfold.protocols.rest.wire import JobOrder

ROOT = "/api"
VERSION = "/v1"

TITLE = "Sheepfold"
SUMMARY = "Order pictures of a farm, render for it, and watch what happens."
DESCRIPTION = (
    "Every request carries `Authorization: Bearer KEY`, a machine key of the farm. A machine that renders opens a "
    "session with its key first and sends the session's token instead. Times are Unix seconds. Refusals are problem "
    "documents (RFC 9457) whose `type` tells which."
)
TAGS = [
    {"name": "jobs", "description": "Order, watch and fetch."},
    {"name": "machines", "description": "Render for the farm."},
    {"name": "flock", "description": "Sheep and votes."},
    {"name": "teams", "description": "Who earns together, and sees each other's private jobs."},
    {"name": "webhooks", "description": "Be told over HTTP or in a chat."},
    {"name": "account", "description": "Your account, its keys, and the browsers where you are signed in."},
    {"name": "farm", "description": "What the farm does, and for its owner who may do what."},
    {"name": "events", "description": "What happens, as it happens."},
]
_REFUSED: dict[int | str, dict[str, Any]] = {"default": {
    "description": "A refusal.",
    "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}}


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of this protocol: `/api` with all below it, and before it what a farm does all the time."""
    app = application(farm)
    return [*express_routes(farm, ROOT, app), Mount(ROOT, app)]


def application(farm: Farm) -> FastAPI:
    """Make the API's application; it knows that it is mounted at `/api`."""
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, redirect_slashes=False, openapi_url=None)
    app.state.farm = farm
    app.state.bell = Bell(farm)
    parts = (
        jobs.router, alterations.router, appraisals.router, changes.router, resumable.router, leases.router,
        leases.uploads, overseeing.router, browsers.router, flock.router, storage.router, teams.router,
        webhooks.router, account.router, owner.router, events.router,
    )
    for part in parts:
        app.include_router(part, prefix=VERSION, responses=_REFUSED)
    app.router.routes.extend(docs.routes(partial(_document, app)))
    add_handlers(app)
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    """Write the OpenAPI document, with the models that the framework does not see since we read or write them."""
    document = get_openapi(
        title=TITLE,
        version=importlib.metadata.version("sheepfold"),
        summary=SUMMARY,
        description=DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
        servers=[{"url": ROOT}],
    )
    _, models = models_json_schema(
        [(Problem, "serialization"), (JobOrder, "validation")], ref_template="#/components/schemas/{model}"
    )
    document["components"]["schemas"] |= models["$defs"]
    add_examples(document["components"]["schemas"])
    return document
