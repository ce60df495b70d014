"""Tries: how often a wrong password, or a wrong code, may be tried from an address or for a name."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sheepfold.model.errors import BadCredentials, SheepfoldError, TooManyTries

MOST_TRIES, WINDOW_S = 10, 600
"""How many tries an address, or a name, has in how many seconds."""
_MOST_NAMES = 10_000


class Tries:
    """Counts tries by what they are made from or for, in this process alone.

    A try is counted before it is made: of many that come at once no more are let through than of those that come one
    after another.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._made: defaultdict[str, deque[int]] = defaultdict(deque)

    def count(self, *names: str, most: int = MOST_TRIES) -> int:
        """Count a try under some names and return when it was; raises TooManyTries where one of them has none left."""
        now = self._clock()
        with self._lock:
            if any(self._recent(name, now) >= most for name in names):
                raise TooManyTries
            if len(self._made) > _MOST_NAMES:
                self._made.clear()
            for name in names:
                self._made[name].append(now)
        return now

    @contextmanager
    def counted(self, *names: str) -> Iterator[None]:
        """Count the try that the block makes; forgive it where it succeeds, or is refused for more than BadCredentials.

        Raises TooManyTries.
        """
        made_at = self.count(*names)
        try:
            yield
        except BadCredentials:
            raise
        except SheepfoldError:
            self._forgive(names, made_at)
            raise
        self._forgive(names, made_at)

    def _recent(self, name: str, now: int) -> int:
        made = self._made.get(name, deque())
        while made and made[0] <= now - WINDOW_S:
            made.popleft()
        return len(made)

    def _forgive(self, names: tuple[str, ...], made_at: int) -> None:
        with self._lock:
            for name in names:
                if made_at in self._made.get(name, ()):
                    self._made[name].remove(made_at)
                    if not self._made[name]:
                        del self._made[name]
