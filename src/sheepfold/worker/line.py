"""The line to the farm as several threads share it: opened by whoever first finds it lost."""

import threading

from sheepfold.model.matching import Abilities
from sheepfold.protocols.link import Link


class Line:
    """A link, which must serve several threads, and whether it is open."""

    def __init__(self, link: Link, abilities: Abilities) -> None:
        self.link = link
        self.abilities = abilities
        self._lock = threading.Lock()
        self._is_open = False

    def open(self) -> None:
        """Open the link where it was lost; raises FarmUnreachable, FarmRefused."""
        with self._lock:
            if not self._is_open:
                self.link.open(self.abilities)
                self._is_open = True

    def lost(self) -> None:
        """Note that the farm was not reached."""
        with self._lock:
            self._is_open = False
