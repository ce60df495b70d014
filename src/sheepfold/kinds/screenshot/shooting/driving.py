"""What every browser under remote control can do, whoever made it."""

from typing import Any, Protocol


class Driver(Protocol):
    """A browser with one page. Each of these raises ShotFailed where the browser died or refuses."""

    def open(self, url: str) -> None:
        """Begin to load a page; raises ShotFailed where it is known already that there will be none."""
        ...

    def failure(self) -> str:
        """Return why the page could not be loaded; an empty text where it could, or still may."""
        ...

    def error_at(self, address: str) -> str:
        """Return what the browser says on a page of its own, in place of one that did not come; else nothing."""
        ...

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 -- whatever JSON the page's script gives
        """Return the value of a JavaScript expression in the page; None while there is no page."""
        ...

    @property
    def highest(self) -> int:
        """Return how high the viewport can be made, in CSS pixels; 0 where it stays as it is."""
        ...

    def resize(self, height: int) -> None:
        """Make the viewport so high, in CSS pixels."""
        ...

    def picture(self) -> bytes:
        """Return the viewport as PNG."""
        ...

    def close(self) -> None:
        """End the browser."""
        ...
