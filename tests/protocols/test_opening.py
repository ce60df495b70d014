"""Orders that a program looks into wait where no picture does, and not for ever."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial

import pytest
from anyio import to_thread
from starlette.requests import Request
from starlette.types import Message

from sheepfold.model.errors import Overloaded
from sheepfold.protocols import opening
from sheepfold.protocols.direct import judged
from sheepfold.protocols.opening import MOST_WAITING, opened, ordered, sketched

Way = Callable[..., Awaitable[str]]


def asker(gone: asyncio.Event | None = None) -> Request:
    """Return the request of somebody who waits until they are gone."""
    async def receive() -> Message:
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http"}, receive)


def crowded(done: threading.Event, meanwhile: Callable[[], Coroutine[None, None, None]]) -> None:
    """Have as many projects wait as may, and do something meanwhile."""
    async def crowd() -> None:
        waiting = [asyncio.create_task(opened(asker(), done.wait, 60)) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        try:
            await meanwhile()
            assert not any(task.done() for task in waiting)
        finally:
            done.set()
        assert all(await asyncio.gather(*waiting))

    asyncio.run(crowd())


def test_orders_that_a_program_looks_into_leave_threads_for_pictures_and_for_other_orders() -> None:
    async def meanwhile() -> None:
        ways: list[Way] = [judged, partial(ordered, asker(), "flame"), partial(ordered, asker(), "no such kind"),
                           partial(sketched, asker())]
        names = [await way(lambda: threading.current_thread().name) for way in ways]
        assert [name.partition("_")[0] for name in names] == ["judging", "judging", "judging", "sketching"]

    crowded(threading.Event(), meanwhile)


def test_who_would_wait_behind_too_many_projects_is_told_to_come_again() -> None:
    done = threading.Event()

    async def meanwhile() -> None:
        with pytest.raises(Overloaded, match="try again"):
            await ordered(asker(), "blender", done.wait)

    crowded(done, meanwhile)


def in_turn(then: Callable[[threading.Event], Coroutine[None, None, None]]) -> None:
    """Have all threads for projects taken, and do something until they are free again."""
    async def turn() -> None:
        to_thread.current_default_thread_limiter().total_tokens = 8
        done = threading.Event()
        taken = [asyncio.create_task(opened(asker(), done.wait, 60)) for _ in range(3)]
        await asyncio.sleep(0)
        try:
            await then(done)
        finally:
            done.set()
        assert all(await asyncio.gather(*taken))
        assert await opened(asker(), done.is_set)

    asyncio.run(turn())


def test_who_waited_for_too_long_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    async def then(done: threading.Event) -> None:
        monkeypatch.setattr(opening, "LONGEST_WAIT_S", 0.0)
        waiting = asyncio.create_task(opened(asker(), begun.set))
        await asyncio.sleep(0.01)
        monkeypatch.undo()
        done.set()
        with pytest.raises(Overloaded, match="try again"):
            await waiting

    in_turn(then)
    assert not begun.is_set()


def test_who_is_gone_waits_for_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_GONE_S", 0.01)
    begun, gone = threading.Event(), asyncio.Event()

    async def then(_: threading.Event) -> None:
        waiting = asyncio.create_task(opened(asker(gone), begun.set))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        gone.set()
        with pytest.raises(Overloaded):
            await asyncio.wait_for(waiting, 60)

    in_turn(then)
    assert not begun.is_set()


def test_what_has_begun_is_brought_to_its_end_though_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_GONE_S", 0.01)

    async def leave() -> bool:
        gone, begun, done = asyncio.Event(), threading.Event(), threading.Event()
        waiting = asyncio.create_task(opened(asker(gone), lambda: begun.set() or done.wait(60)))
        await asyncio.to_thread(begun.wait, 60)
        gone.set()
        await asyncio.sleep(0.05)
        done.set()
        return await waiting

    assert asyncio.run(leave())
