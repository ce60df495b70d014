"""The page of the API: its operations and refusals, written out from the OpenAPI document. It needs no script."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from sheepfold.model.errors import SheepfoldError
from sheepfold.protocols.rest.problem_wire import Refusal, problem_type, refusal_of
from sheepfold.protocols.rest.wire import MOST_ID

_BOUNDS = {"minimum": "from", "maximum": "to", "maxLength": "at most", "format": "as"}
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


def routes(write_document: Callable[[], dict[str, Any]]) -> list[BaseRoute]:
    """Return the routes of the document and of its page; it is written when somebody first asks, and once."""
    document = cache(write_document)
    page = cache(lambda: _page(document()))

    async def show_page(_: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(page), headers={"Content-Security-Policy": _POLICY})

    async def show_document(_: Request) -> Response:
        text = json.dumps(await run_in_threadpool(document), ensure_ascii=True)
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


@dataclass(frozen=True, slots=True)
class Message:
    """A type of message as the page shows it: each field with what it may hold."""

    name: str
    description: str
    fields: tuple[tuple[str, str], ...]


def messages(document: dict[str, Any]) -> list[Message]:
    """Return the types that bodies have."""
    return [
        Message(name, told.get("description", ""), tuple(
            (field + ("" if field in told.get("required", ()) else ", optional"), _type(schema))
            for field, schema in told["properties"].items()
        ))
        for name, told in sorted(document["components"]["schemas"].items()) if "properties" in told
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
    environment.filters["prose"] = _prose
    return environment.get_template("docs.html").render(
        info=document["info"], tags=document["tags"], operations=operations(document),
        messages=messages(document), refusals=refusals()
    )


def _parameter(one: dict[str, Any]) -> tuple[str, str]:
    wanted = "" if one.get("required") else ", optional"
    return f"{one['name']} ({one['in']}{wanted})", one.get("description", "")


def _body(told: dict[str, Any]) -> list[tuple[str, str]]:
    body = told.get("requestBody", {})
    return [(f"body: {media_type}", body.get("description", "") or _schema_name(content))
            for media_type, content in body.get("content", {}).items()]


def _answer(status: str, answer: dict[str, Any]) -> tuple[str, str]:
    names = list(filter(None, (_schema_name(content) for content in answer.get("content", {}).values())))
    said = answer["description"].replace("Successful Response", "Done.")
    return status, " ".join([said, *names])


def _schema_name(content: dict[str, Any]) -> str:
    schema = content.get("schema", {})
    chosen = [schema, *schema.get("anyOf", ())]
    return next((_type(one) for one in chosen if "$ref" in one), "")


def _type(schema: dict[str, Any]) -> str:
    """Say in a few words what a field may hold."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(one) for one in schema["enum"])
    if schema.get("type") == "array":
        return "list of " + _type(schema.get("items", {}))
    bounds = [f"{word} {_plain(schema[name])}" for name, word in _BOUNDS.items() if name in schema]
    return ", ".join([str(schema.get("type", "anything")), *bounds])


def _plain(bound: float | str) -> str:
    """Write a bound as people do: the framework's documents hold only floats, even of 2^63 - 1."""
    if isinstance(bound, str):
        return bound
    return "2^63 - 1" if bound >= MOST_ID else f"{bound:.0f}"


def _prose(text: str) -> Markup:
    """Write a text of the document for the page, with what stands between backticks as code."""
    parts = str(escape(text)).split("`")
    return Markup("").join(Markup("<code>%s</code>" if at % 2 else "%s") % Markup(part)  # noqa: S704 - escaped above
                           for at, part in enumerate(parts))
