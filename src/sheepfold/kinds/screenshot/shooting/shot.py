"""One shot to make: what the program inside the walls is told, as JSON."""

import json
from dataclasses import asdict, dataclass
from typing import Self

from sheepfold.kinds.screenshot.shooting.browsers import Engine

USUAL_WAIT_S = 30.0
USUAL_HEIGHT = {"window": 0.75, "viewport": 0.625, "page": 0.625}  # of the width
TALLEST_PAGE = 32_000  # CSS pixels; an endless page is cut there


@dataclass(frozen=True, slots=True)
class Shot:
    """A page to shoot. Sizes are in CSS pixels, `depth` in bits a pixel; `wait_s` is the longest wait for the page."""

    url: str
    engine: Engine
    program: str
    driver: str = ""
    mode: str = "viewport"
    width: int = 1024
    height: int = 640
    depth: int = 24
    pixel_ratio: int = 1
    tallest: int = TALLEST_PAGE
    dark: bool = False
    reduced_motion: bool = False
    locale: str = ""
    time_zone: str = ""
    javascript: bool = True
    wait_s: float = USUAL_WAIT_S

    def to_json(self) -> str:
        """Return this shot as the program reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        plain = json.loads(text)
        return cls(**plain | {"engine": Engine(plain["engine"])})


class ShotFailed(Exception):
    """The page could not be shot; the message says why, in one line."""
