"""When a page is ready to be shot: by what it says of itself and by a silent network, never by a fixed sleep."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sheepfold.kinds.screenshot.shooting.driving import Driver
from sheepfold.kinds.screenshot.shooting.shot import ShotFailed

QUIET_S = 0.15
"""A network that was silent for so long has nothing under way: a page that asks for more asks at once."""
LONGEST_UNREST_S = 5.0
"""How long a page that is complete may go on to talk, as those do that poll; then it is shot as it is."""
GLANCE_S = 0.05
"""The same for a place that is passed on the way: three frames, in which a page asks for what has come into sight."""
_POLL_S = 0.02

# One expression, without promises, so that it works in pages that may run no script of their own. An image that is
# loaded lazily counts while it is in sight. Frames of the same origin are looked into.
STATE = """(() => {
  const look = (page, view) => {
    let left = 0;
    for (const image of page.images) {
      if (image.complete) continue;
      const box = image.getBoundingClientRect();
      const inSight = box.bottom > 0 && box.top < view.innerHeight && box.width * box.height > 0;
      if (image.loading !== 'lazy' || inSight) left++;
    }
    for (const video of page.querySelectorAll('video'))
      if (video.networkState === 2 && video.readyState < 2 && video.preload !== 'none' && !video.error) left++;
    for (const frame of page.querySelectorAll('iframe, frame')) {
      try { if (frame.contentDocument && frame.loading !== 'lazy')
              left += look(frame.contentDocument, frame.contentWindow); }
      catch (error) { /* another origin's own business */ }
    }
    return left + (page.fonts && page.fonts.status === 'loading' ? 1 : 0);
  };
  const root = document.scrollingElement || document.documentElement;
  return {url: document.URL, ready: document.readyState, left: root ? look(document, window) : 1,
          height: root ? Math.max(root.scrollHeight, document.body ? document.body.getBoundingClientRect().height : 0)
                       : 0,
          top: Math.round(window.scrollY), view: window.innerHeight};
})()"""


@dataclass(frozen=True, slots=True)
class State:
    """What a page says of itself; heights in CSS pixels, `left` counts what is still loading."""

    url: str = ""
    is_loaded: bool = False
    left: int = 1
    height: int = 0
    top: int = 0
    view: int = 0

    @property
    def has_begun(self) -> bool:
        """Say whether anything has come of the page."""
        return self.url not in {"", "about:blank", "data:,"}


class Watch:
    """A clock for one page: `rest` returns when the page is at rest or its time is up."""

    def __init__(self, driver: Driver, quiet_s: Callable[[], float], wait_s: float) -> None:
        self._driver = driver
        self._quiet_s = quiet_s
        self._end = time.monotonic() + wait_s

    def is_over(self) -> bool:
        """Say whether the page has had its time."""
        return time.monotonic() >= self._end

    def load(self) -> State:
        """Wait for the page; returns how it is then, complete or not. Raises ShotFailed where nothing came of it."""
        complete_at = 0.0
        while True:
            state = self.look()
            now = time.monotonic()
            if state.has_begun and state.is_loaded:
                complete_at = complete_at or now
                is_quiet = state.left == 0 and self._quiet_s() >= QUIET_S
                if is_quiet or now - complete_at >= LONGEST_UNREST_S:
                    return state
            if now >= self._end:
                if not state.has_begun:
                    raise ShotFailed(self._driver.failure() or "the page did not begin to load in its time")
                return state
            time.sleep(_POLL_S)

    def settle(self, still_s: float = QUIET_S) -> State:
        """Wait until what is in sight is there and the network was silent for so long; returns how the page is then."""
        began = time.monotonic()
        end = min(self._end, began + LONGEST_UNREST_S)
        state = self.look()
        while (state.left or min(self._quiet_s(), time.monotonic() - began) < still_s) and time.monotonic() < end:
            time.sleep(_POLL_S)
            state = self.look()
        return state

    def look(self) -> State:
        """Ask the page how it is; raises ShotFailed where the browser shows an error of its own."""
        if reason := self._driver.failure():
            raise ShotFailed(reason)
        state = _state(self._driver.evaluate(STATE))
        if shown := self._driver.error_at(state.url):
            raise ShotFailed(self._driver.failure() or shown)
        return state


def _state(told: Any) -> State:  # noqa: ANN401 -- a page may tell anything
    if not isinstance(told, dict):
        return State()
    numbers = [told.get(name) for name in ("left", "height", "top", "view")]
    left, height, top, view = (int(one) if isinstance(one, int | float) else 0 for one in numbers)
    return State(str(told.get("url")), told.get("ready") == "complete", left, height, top, view)
