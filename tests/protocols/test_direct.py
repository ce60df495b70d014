import asyncio
import threading

import pytest
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from sheepfold.protocols.direct import DirectRoute, ShortWays, at_once, judged


async def greet(request: Request) -> Response:
    if request.path_params["name"] == "nobody":
        raise HTTPException(404, "Nobody is there.")
    return PlainTextResponse(f"{request.path_params['name']}: {(await request.body()).decode()}")


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[DirectRoute("/to/{name}", greet, methods=["PUT"])]))


def test_a_request_is_answered_with_its_path_and_body(client: TestClient) -> None:
    assert client.put("/to/you", content=b"hello").text == "you: hello"


def test_what_an_endpoint_raises_is_answered_by_the_application(client: TestClient) -> None:
    assert client.put("/to/nobody").status_code == 404


def test_other_methods_are_refused_as_elsewhere(client: TestClient) -> None:
    answer = client.get("/to/you")
    assert (answer.status_code, answer.headers["allow"]) == (405, "PUT")


def test_whoever_waits_for_no_inspection_finds_a_thread_while_all_inspections_wait() -> None:
    done = threading.Event()

    async def crowd() -> str:
        to_thread.current_default_thread_limiter().total_tokens = 4
        inspections = [asyncio.create_task(judged(done.wait)) for _ in range(9)]
        name = await at_once(lambda: threading.current_thread().name)
        assert not any(task.done() for task in inspections)
        done.set()
        assert all(await asyncio.gather(*inspections))
        return name

    assert asyncio.run(crowd()).startswith("at-once")


def test_what_a_deed_raises_is_raised_to_who_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(judged(lambda: 1 // 0))


@pytest.fixture
def house() -> TestClient:
    """Return an application with short ways to two routes, which says of all else that it came the long way."""
    async def near(request: Request) -> Response:
        return PlainTextResponse(f"short {request.path_params}")

    async def far(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("long")(scope, receive, send)

    ways = [DirectRoute("/claim", near, methods=["POST"]), DirectRoute("/{number}/result", near, methods=["PUT"]),
            Route("/claim/help", near)]
    return TestClient(ShortWays(ways, far))


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [("POST", "/claim", "short {}"), ("POST", "/claim?a=1", "short {}"), ("PUT", "/7/result", "short {'number': '7'}"),
     ("GET", "/claim", "long"), ("GET", "/7/result", "long"), ("POST", "/claim/", "long"),
     ("PUT", "/7/8/result", "long"), ("GET", "/claim/help", "long"), ("GET", "/", "long")],
)  # fmt: skip
def test_direct_routes_are_taken_first_and_all_else_is_the_application_s(
    house: TestClient, method: str, path: str, said: str
) -> None:
    assert house.request(method, path).text == said


def test_a_query_that_is_not_ascii_goes_the_long_way() -> None:
    asked: list[str] = []

    async def near(_request: Request) -> Response:
        asked.append("short")
        return Response()

    async def far(_scope: Scope, _receive: Receive, _send: Send) -> None:
        asked.append("long")

    async def nothing(_message: object = None) -> dict[str, str]:
        return {"type": "http.request"}

    ways = ShortWays([DirectRoute("/claim", near)], far)
    for query in (b"name=ann", b"name=\xe4nn"):
        scope = {"type": "http", "method": "GET", "path": "/claim", "query_string": query, "headers": []}
        asyncio.run(ways(scope, nothing, nothing))
    assert asked == ["short", "long"]
