"""Orders whose kind has a program open their files first: they wait on threads of their own, and pictures for none."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar
from weakref import WeakKeyDictionary

from starlette.requests import Request

from sheepfold.kinds.registry import KINDS, optional_module_of
from sheepfold.model.errors import Overloaded
from sheepfold.protocols.direct import Executors, executor_of, judged

T = TypeVar("T")

MOST_OPENED = 200
"""Projects that wait to be opened or are being opened; who comes then is told to come again."""
LONGEST_WAIT_S = 120.0
"""How long an opening waits for its thread; who has waited for longer is told to come again, and often is gone."""
_LEAST_OPENING = 3
"""Threads at the least: two have a Blender open, and one has answers for who needs none after all."""
_GONE_S = 1.0
"""How often it is looked whether somebody who waits is still there."""
_OPENING = Executors()
_CROWDED = "Too many projects wait for the farm to look into them: try again in a few minutes."
_openings = WeakKeyDictionary[asyncio.AbstractEventLoop, int]()


async def ordered(request: Request, kind: str, deed: Callable[..., T], *args: object) -> T:
    """Run what is done with an order of a kind on a thread: as `opened` where the kind completes orders by their files.

    Raises Overloaded as that does.
    """
    is_completed = kind in KINDS and optional_module_of(kind, "complete") is not None
    return await (opened(request, deed, *args) if is_completed else judged(deed, *args))


async def opened(request: Request, deed: Callable[..., T], *args: object) -> T:
    """Run what may wait minutes for a program that opens a project on a thread, so that others are left for pictures.

    Raises Overloaded where MOST_OPENED are there already, where it has waited for LONGEST_WAIT_S, and where who asks is
    gone; what has begun is brought to its end.
    """
    loop, until = asyncio.get_running_loop(), time.monotonic() + LONGEST_WAIT_S
    if _openings.get(loop, 0) >= MOST_OPENED:
        raise Overloaded(_CROWDED)

    def begun() -> T:
        if time.monotonic() > until:
            raise Overloaded(_CROWDED)
        return deed(*args)

    _openings[loop] = _openings.get(loop, 0) + 1
    waiting = executor_of(_OPENING, "opening", 0.125, _LEAST_OPENING).submit(begun)
    watch = asyncio.create_task(_leave_with(request, waiting))
    try:
        return await asyncio.wrap_future(waiting)
    except asyncio.CancelledError:
        if not (watch.done() and waiting.cancelled()):
            raise
        raise Overloaded(_CROWDED) from None  # nobody hears it
    finally:
        watch.cancel()
        _openings[loop] -= 1


async def _leave_with(request: Request, waiting: Future[T]) -> None:
    """Cancel what waits for its thread when who asks for it is gone."""
    while not (waiting.running() or waiting.done()):
        await asyncio.sleep(_GONE_S)
        if await request.is_disconnected():
            waiting.cancel()
