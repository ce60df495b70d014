"""The short way for the few requests that a farm lives on: past the framework's wrappers, over threads of our own.

Of the event loop's time a fifth went into handing deeds to the framework's threads, and a seventh into the wrappers
around its routes (docs/decisions/0015-short-ways.md).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from anyio import to_thread
from anyio.lowlevel import RunVar
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

T = TypeVar("T")
_AT_ONCE: RunVar[Executor] = RunVar("at once")
_JUDGING: RunVar[Executor] = RunVar("judging")


class DirectRoute(Route):
    """A route that calls its endpoint and its answer, and leaves what either raises to the application's own guard."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Route."""
        if self.methods and scope["method"] not in self.methods:
            await super().handle(scope, receive, send)
            return
        answer = await self.endpoint(Request(scope, receive))
        await answer(scope, receive, send)


async def at_once(deed: Callable[..., T], *args: object) -> T:
    """Run what waits for the database alone on a thread."""
    return await _run(_AT_ONCE, "at-once", 1.0, deed, *args)


async def judged(deed: Callable[..., T], *args: object) -> T:
    """Run what waits for an inspection on a thread, so that others are left for requests that wait for none."""
    return await _run(_JUDGING, "judging", 0.75, deed, *args)


async def _run(kept: RunVar[Executor], name: str, share: float, deed: Callable[..., T], *args: object) -> T:
    """Run a deed on an executor of the loop's, made for a share of the threads that the farm may have."""
    try:
        executor = kept.get()
    except LookupError:
        size = max(1, int(to_thread.current_default_thread_limiter().total_tokens * share))
        executor = ThreadPoolExecutor(size, thread_name_prefix=name)
        kept.set(executor)
    return await asyncio.get_running_loop().run_in_executor(executor, partial(deed, *args))
