"""Tries: how often a wrong password, or a wrong code, may be tried from an address or for a name."""

import asyncio
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from sheepfold.model.errors import BadCredentials, Overloaded, SheepfoldError, TooManyTries

MOST_TRIES, WINDOW_S = 10, 600
"""How many tries a name has in how many seconds."""
MOST_OF_A_CLASS = 40
"""How many an address has: a class shares it, and each pupil mistypes once."""
LONGEST_TURN_S = 10.0
"""How long a try waits for those before it: a class of 40 behind one router, each hash half a second, two at once."""
_POLL_S = 0.1
_MOST_NAMES = 10_000
_AT_ONCE = "Too many try this at once: try again in a minute."


class Tries:
    """Counts wrong tries by what they are made from or for, in this process alone.

    One that is under way may turn out to be wrong: of many that come at once no more are let through than of those that
    come one after another.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: defaultdict[str, deque[int]] = defaultdict(deque)
        self._under_way: Counter[str] = Counter()

    def count(self, *names: str, most: int = MOST_TRIES) -> None:
        """Count a try under some names, however it ends; raises TooManyTries where one of them has none left."""
        with self._lock:
            if any(self._recent(name) + self._under_way[name] >= most for name in names):
                raise TooManyTries
            self._note(names)

    @contextmanager
    def counted(self, *names: str) -> Iterator[None]:
        """Count the try that the block makes; forgive it where it succeeds, or is refused for more than BadCredentials.

        Raises TooManyTries, also where as many are under way already.
        """
        if not self._begin(dict.fromkeys(names, MOST_TRIES)):
            raise TooManyTries(_AT_ONCE)
        with self._ending(names):
            yield

    @asynccontextmanager
    async def counted_in_turn(self, most: Mapping[str, int]) -> AsyncIterator[None]:
        """Count a try under some names, which have so many each, as `counted` does, but wait, on no thread, for others.

        It waits while MOST_TRIES are under way for a name, or as many as it has left. Raises TooManyTries, and
        Overloaded where that takes too long.
        """
        ends_at = time.monotonic() + LONGEST_TURN_S
        while not self._begin(most):
            if time.monotonic() >= ends_at:
                raise Overloaded(_AT_ONCE)
            await asyncio.sleep(_POLL_S)
        with self._ending(tuple(most)):
            yield

    def _begin(self, most: Mapping[str, int]) -> bool:
        """Note that a try is under way, or say that others are whose end must be known first; raises TooManyTries."""
        with self._lock:
            left = {name: tries - self._recent(name) for name, tries in most.items()}
            if any(tries <= 0 for tries in left.values()):
                raise TooManyTries
            if any(self._under_way[name] >= min(tries, MOST_TRIES) for name, tries in left.items()):
                return False
            self._under_way.update(most.keys())
            return True

    @contextmanager
    def _ending(self, names: tuple[str, ...]) -> Iterator[None]:
        is_wrong = True  # also where the block is left in a way that nobody foresaw
        try:
            yield
            is_wrong = False
        except SheepfoldError as error:
            is_wrong = isinstance(error, BadCredentials)
            raise
        finally:
            with self._lock:
                self._under_way.subtract(names)
                self._under_way = +self._under_way
                if is_wrong:
                    self._note(names)

    def _recent(self, name: str) -> int:
        made, begins_at = self._wrong.get(name, deque()), self._clock() - WINDOW_S
        while made and made[0] <= begins_at:
            made.popleft()
        return len(made)

    def _note(self, names: tuple[str, ...]) -> None:
        if len(self._wrong) > _MOST_NAMES:
            self._wrong.clear()
        for name in names:
            self._wrong[name].append(self._clock())
