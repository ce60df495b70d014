"""Taking the picture of a page in a driven browser in all its height."""

import io
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from sheepfold.kinds.screenshot.shooting.driving import Driver
from sheepfold.kinds.screenshot.shooting.merging import merge
from sheepfold.kinds.screenshot.shooting.resting import GLANCE_S, State, Watch
from sheepfold.kinds.screenshot.shooting.shot import Shot

Pixels = npt.NDArray[np.uint8]

_SEAM_PX = 48  # of overlap besides the bars that stick: where two tiles are compared
# How high the bars are that stick to the upper and the lower edge, or will once the page is scrolled.
BARS = """(() => {
  let top = 0, bottom = 0;
  for (const one of document.querySelectorAll('body *')) {
    const style = getComputedStyle(one);
    if (style.position !== 'fixed' && style.position !== 'sticky' || style.visibility === 'hidden') continue;
    const box = one.getBoundingClientRect();
    if (box.width * box.height === 0 || box.height > innerHeight / 2) continue;
    if (style.position === 'sticky') {
      if (style.top !== 'auto' && box.top <= innerHeight) top = Math.max(top, box.height + parseFloat(style.top));
      if (style.bottom !== 'auto') bottom = Math.max(bottom, box.height + parseFloat(style.bottom));
      continue;
    }
    if (box.top < innerHeight / 3 && box.bottom > 0) top = Math.max(top, box.bottom);
    if (box.bottom > innerHeight * 2 / 3 && box.top < innerHeight) bottom = Math.max(bottom, innerHeight - box.top);
  }
  return Math.ceil(top) + Math.ceil(bottom);
})()"""


def scroll_to(top: int) -> str:
    """Return the expression that scrolls at once, whatever the page's style says of smoothness."""
    return f"window.scrollTo({{top: {top}, left: 0, behavior: 'instant'}})"


def page(driver: Driver, watch: Watch, shot: Shot) -> bytes:
    """Return the page in all its height, as PNG: in one piece where that changes nothing, else scrolled and merged."""
    state = scrolled_through(driver, watch, shot)
    if state.height <= state.view:
        return driver.picture()
    height = min(state.height, shot.tallest, driver.highest)
    if height > state.view:
        driver.resize(height)
        if watch.settle().height != state.height:
            # The page measures itself by the viewport: it would be stretched.
            driver.resize(shot.height)
            watch.settle()
        elif height >= min(state.height, shot.tallest):
            return driver.picture()
    return png(merge(*_tiles(driver, watch, shot)))


def scrolled_through(driver: Driver, watch: Watch, shot: Shot) -> State:
    """Scroll down to the end, so that what loads lazily does, and back; a page without an end is left in the middle."""
    state = watch.look()
    top = 0
    while top + state.view < min(state.height, shot.tallest) and not watch.is_over():
        top += state.view
        driver.evaluate(scroll_to(top))
        state = watch.settle(GLANCE_S)
    driver.evaluate(scroll_to(0))
    return watch.settle() if top else state


def _tiles(driver: Driver, watch: Watch, shot: Shot) -> tuple[list[Pixels], list[int]]:
    """Return pictures of the viewport from the top to the end, and by how many pixels each is further down."""
    tiles, steps, last = [], [], 0
    for state in tops(driver, watch, lambda state: shot.tallest - state.view):
        tiles.append(pixels(driver.picture()))
        steps.append((state.top - last) * shot.pixel_ratio)
        last = state.top
    return tiles, steps[1:]


def tops(driver: Driver, watch: Watch, lowest: Callable[[State], int]) -> Iterator[State]:
    """Scroll from the top to the end, a piece less than the viewport each time; yields each place when it is at rest.

    `lowest` says how far down the last place may begin, in CSS pixels.
    """
    state = watch.settle()
    yield state
    while state.top < min(state.height - state.view, lowest(state)):
        told = driver.evaluate(BARS)
        bars = told if isinstance(told, int) else 0
        step = max(state.view - bars - _SEAM_PX, state.view // 4, 1)
        driver.evaluate(scroll_to(min(state.top + step, lowest(state))))
        before, state = state, watch.settle()
        if state.top <= before.top:
            return
        yield state


def pixels(picture: bytes) -> Pixels:
    """Return a PNG's pixels, in rows of RGB."""
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB"))


def png(rows: Pixels) -> bytes:
    """Return pixels as PNG."""
    target = io.BytesIO()
    Image.fromarray(rows).save(target, "PNG", compress_level=3)
    return target.getvalue()
