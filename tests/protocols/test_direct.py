import asyncio
import threading

import pytest
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from sheepfold.protocols.direct import DirectRoute, at_once, judged


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
