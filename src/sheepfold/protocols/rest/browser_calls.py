"""The REST client's hands on browsers of machines."""

from types import TracebackType
from typing import Self
from urllib.parse import quote

from sheepfold.protocols.rest.browser_wire import BrowserAsked, BrowserOut, FactoryList, FactoryOut
from sheepfold.protocols.rest.calls import Calls, Sent


class BrowserClient:
    """What an owner of machines does with their browsers at a farm.

    Every call raises FarmUnreachable, FarmRefused for a key that may not, and FarmProblem with the farm's sentence.
    """

    def __init__(self, server_url: str, key: str, user_agent: str = "sheepfold-client") -> None:
        self._calls = Calls(server_url, user_agent)
        self._calls.token = key

    def factories(self) -> list[FactoryOut]:
        """Return all machines that have browsers."""
        return self._calls.ask("GET", "/browsers", FactoryList).factories

    def factory(self, machine: str) -> FactoryOut:
        """Return a machine with its browsers; `self` is the key's own."""
        return self._calls.ask("GET", f"/machines/{quote(machine, safe='')}/browsers", FactoryOut)

    def add(self, machine: str, asked: BrowserAsked) -> BrowserOut:
        """Register a browser."""
        sent = Sent(json=asked.model_dump(mode="json", exclude_none=True))
        return self._calls.ask("POST", f"/machines/{quote(machine, safe='')}/browsers", BrowserOut, sent)

    def remove(self, machine: str, browser_id: int) -> BrowserOut:
        """Remove a browser."""
        return self._calls.ask("DELETE", f"/machines/{quote(machine, safe='')}/browsers/{browser_id}", BrowserOut)

    def close(self) -> None:
        """Close the connections."""
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
