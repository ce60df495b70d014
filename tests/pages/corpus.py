"""What is to come of each awkward page, shot in all its height: 800 pixels wide, in a viewport of 800 x 600."""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

WIDTH, VIEW = 800, 600
GREEN, RED, BLUE = (0, 128, 0), (192, 0, 0), (0, 0, 192)
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Page:
    """A page and its expectation.

    `heights` are the least and the most that the picture has. `points` are colours at (x, y), where y counts from below
    if it is negative. `rows` say how many rows of a column x have a colour. `ink` is the least share of dark pixels.
    `fails` is a pattern that the reason matches when there is to be no picture; `order` is what the order says besides.
    """

    name: str
    heights: tuple[int, int] = (VIEW, VIEW)
    points: tuple[tuple[int, int, Colour], ...] = ()
    rows: tuple[tuple[int, Colour, int], ...] = ()
    ink: float = 0.0
    fails: str = ""
    order: dict[str, Any] = field(default_factory=dict)


TOP_IS_GREEN = ((10, 10, GREEN),)
PAGES = (
    Page("sticky", (4000, 4000), ((790, 10, GREEN), (790, -10, RED)), ((790, GREEN, 60), (790, RED, 40))),
    Page("barred", (3650, 3650), ((790, 10, BLUE), (790, 610, GREEN)), ((790, BLUE, 600), (790, GREEN, 50))),
    Page("aside", (3650, 3650), ((750, -50, RED), (500, 610, GREEN)),
         ((750, RED, 60), (500, GREEN, 50), (100, BLUE, 60))),
    Page("lazy", (6000, 6000), (), ((10, BLUE, 12 * 200),)),
    Page("infinite", (3 * VIEW, 40_000), order={"wait_s": 2}),
    Page("tall", (20_000, 20_000), ((400, 500, (0, 0, 200)), (400, 10_500, (100, 0, 100)), (400, -10, (190, 0, 10)))),
    Page("short", points=((10, 5, GREEN), (10, 20, (255, 255, 255)))),
    Page("rtl", points=((790, 5, GREEN), (590, 5, (255, 255, 255))), ink=0.0001),
    Page("frames", points=((100, 300, GREEN), (700, 300, BLUE))),
    Page("inner", (2600, 2600), points=((100, 100, GREEN), (100, 2500, BLUE))),
    Page("fonts", ink=0.005),
    Page("boxes", points=TOP_IS_GREEN),
    Page("download", fails="download"),
    Page("loop", fails="redirect"),
    Page("tls:short", fails="cert|tls|issuer"),
    Page("slow", points=((10, 300, GREEN),)),
    Page("restless", points=((10, 300, GREEN),)),
    Page("astray", fails="could not be loaded"),
    Page("silent", fails="did not|timed? ?out", order={"wait_s": 2}),
    Page("never", points=TOP_IS_GREEN, order={"wait_s": 2}),
    Page("polling", points=TOP_IS_GREEN, order={"wait_s": 3}),
    Page("auth", fails="password|auth"),
    Page("inward", fails="not public: 10.255.255.1"),
    Page("missing-page", ink=0.0005),
    Page("print", points=TOP_IS_GREEN),
    Page("video", points=((100, 100, GREEN),)),
    Page("canvas", points=TOP_IS_GREEN),
    Page("popup", points=TOP_IS_GREEN),
)


def misfits(page: Page, picture: npt.NDArray[np.uint8]) -> list[str]:
    """Return what is wrong with a picture (rows of RGB); nothing where it is as expected."""
    height, width = picture.shape[:2]
    wrong = [] if width == WIDTH else [f"it is {width} pixels wide"]
    if not page.heights[0] <= height <= page.heights[1]:
        wrong.append(f"it is {height} pixels high, not {page.heights[0]} to {page.heights[1]}")
    for x, y, colour in page.points:
        if not is_like(picture[y, x], colour):
            wrong.append(f"at {x},{y} it is {picture[y, x].tolist()}, not {colour}")
    for x, colour, rows in page.rows:
        found = int(is_like(picture[:, x], colour).sum())
        if found != rows:
            wrong.append(f"{found} rows at {x} are {colour}, not {rows}")
    if (picture.max(axis=2) < 100).mean() < page.ink:
        wrong.append("there are no words on it")
    return wrong


def is_like(pixels: npt.NDArray[np.uint8], colour: Colour) -> npt.NDArray[np.bool_]:
    """Say whether pixels have a colour, give or take what a film's compression takes."""
    return np.asarray((np.abs(pixels.astype(int) - np.array(colour)) <= 8).all(axis=-1))


def is_reason(page: Page, reason: str) -> bool:
    """Say whether a failure gives the reason that is expected."""
    return bool(page.fails) and re.search(page.fails, reason, re.IGNORECASE) is not None
