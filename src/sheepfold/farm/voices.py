"""Voices: of how many players that nobody knows the votes count, from one network in one day."""

import threading
from collections import Counter
from collections.abc import Callable

from sheepfold.farm.addresses import network_of

MOST_VOICES = 40
"""How many players have a voice from one address, or from one household of IPv6: a class behind one router."""
MOST_VOTES = 500
"""How many votes each of them has: more than a flock has sheep, and no end of changing one's mind."""
_MOST_NETWORKS = 2000
_DAY_S = 86_400


class Voices:
    """Counts votes by the network that they come from and by who casts them, day by day, in this process alone."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._day = 0
        self._cast: dict[str, Counter[str]] = {}

    def count(self, address: str, voter: str) -> bool:
        """Count a vote from an address; False where its network has had as many voices today, or the voter votes."""
        network = network_of(address, ipv4_bits=32)
        with self._lock:
            self._begin_day(network)
            cast = self._cast.setdefault(network, Counter())
            if cast[voter] >= MOST_VOTES or (voter not in cast and len(cast) >= MOST_VOICES):
                return False
            cast[voter] += 1
            return True

    def _begin_day(self, network: str) -> None:
        """Forget what was counted on another day, and where there are more networks than can be remembered."""
        day = self._clock() // _DAY_S
        if day != self._day or (network not in self._cast and len(self._cast) >= _MOST_NETWORKS):
            self._cast.clear()
        self._day = day
