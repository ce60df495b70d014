"""What every hand on a farm over REST has: an address, a key, connections, and their end."""

import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

from sheepfold.protocols.rest.calls import Calls, Model, Sent
from sheepfold.protocols.rest.page_wire import Page

Row = TypeVar("Row")


def part(name: str) -> str:
    """Write a name as a part of a path."""
    return quote(name, safe="")


class Hands:
    """A key's connection to a farm."""

    def __init__(self, server_url: str, key: str, user_agent: str = "sheepfold-client",
                 pause: Callable[[float], None] = time.sleep) -> None:
        self._calls = Calls(server_url, user_agent, pause)
        self._calls.token = key
        self._pause = pause
        self.url = server_url.rstrip("/")

    def every(self, listed: Callable[..., Page[Row]], *of: int, **words: object) -> Iterator[Row]:
        """Yield all that a method lists, page by page as it is wanted: `farm.every(farm.jobs, mine=True)`."""
        page = listed(*of, **words)
        yield from page.rows
        while page.next is not None:
            page = listed(*of, **words | {page.turn: page.next})
            yield from page.rows

    def close(self) -> None:
        """Close the connections."""
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _read(self, path: str, answer: type[Model], query: Mapping[str, str] | None = None) -> Model:
        """Ask for what may be asked for twice."""
        return self._calls.again(lambda: self._calls.ask("GET", path, answer, Sent(params=query)))
