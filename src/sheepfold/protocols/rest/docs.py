"""The page of the API: its operations and refusals, written out from the OpenAPI document. It needs no script."""

import json
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from sheepfold.model.errors import SheepfoldError
from sheepfold.protocols.rest.wire import Refusal, problem_type, refusal_of

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as the page shows it: `asked` and `answers` are pairs of a name and what it means."""

    method: str
    path: str
    tag: str
    summary: str
    description: str
    asked: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str], ...]


def routes(document: dict[str, Any]) -> list[BaseRoute]:
    """Return the routes of the document and of its page."""
    page = _page(document).encode()
    text = json.dumps(document, ensure_ascii=True).encode()

    async def show_page(_: Request) -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    async def show_document(_: Request) -> Response:
        return Response(text, media_type="application/json")

    return [Route("/docs", show_page), Route("/openapi.json", show_document)]


def operations(document: dict[str, Any]) -> list[Operation]:
    """Return the operations of an OpenAPI document in its order."""
    root = document["servers"][0]["url"]
    return [
        Operation(
            method=method.upper(),
            path=root + path,
            tag=told["tags"][0],
            summary=told["summary"],
            description=told.get("description", ""),
            asked=(*(_parameter(one) for one in told.get("parameters", ())), *_body(told)),
            answers=tuple(_answer(status, answer) for status, answer in sorted(told["responses"].items())),
        )
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]


def refusals(root: type[SheepfoldError] = SheepfoldError) -> list[tuple[str, Refusal, str]]:
    """Return every refusal of the farm: the anchor that its `type` names, its number, and what it says by default."""
    rows = [(problem_type(root).partition("#")[2], refusal_of(root), (root.__doc__ or "").partition("\n")[0])]
    for child in root.__subclasses__():
        if child.__module__ == root.__module__:
            rows += refusals(child)
    return rows


def _page(document: dict[str, Any]) -> str:
    environment = Environment(loader=PackageLoader(__package__, ""), autoescape=True)
    return environment.get_template("docs.html").render(
        info=document["info"], tags=document["tags"], operations=operations(document), refusals=refusals()
    )


def _parameter(one: dict[str, Any]) -> tuple[str, str]:
    wanted = "" if one.get("required") else ", optional"
    return f"{one['name']} ({one['in']}{wanted})", one.get("description", "")


def _body(told: dict[str, Any]) -> list[tuple[str, str]]:
    body = told.get("requestBody", {})
    return [(f"body: {media_type}", body.get("description", "") or _schema_name(content))
            for media_type, content in body.get("content", {}).items()]


def _answer(status: str, answer: dict[str, Any]) -> tuple[str, str]:
    names = filter(None, (_schema_name(content) for content in answer.get("content", {}).values()))
    return status, ", ".join([answer["description"], *names])


def _schema_name(content: dict[str, Any]) -> str:
    schema = content.get("schema", {})
    chosen = [schema, *schema.get("anyOf", ())]
    return next((one["$ref"].rpartition("/")[2] for one in chosen if "$ref" in one), "")
