"""Oversight: the owner's wishes, asked for every few seconds by a thread of their own, and obeyed at once."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sheepfold.model.machines import Command, Wish
from sheepfold.protocols.link import FarmPaused, FarmRefused, FarmUnreachable, Link, Overseen
from sheepfold.worker.hindrance import Here, hindrance, look
from sheepfold.worker.stopping import Stop

ASK_S = 8.0
"""So that a pause, and going on after it, are obeyed within half a minute: the loop looks again each 15 to 19 s."""
_log = logging.getLogger(__name__)


class Oversight:
    """What this machine is told, and why it should not render just now."""

    def __init__(self, link: Link, stop: Stop, here: Callable[[], Here] = look, ask_s: float = ASK_S) -> None:
        self._link = link
        self._stop = stop
        self._here = here
        self._ask_s = ask_s
        self._wish = Wish()
        self.called_off = ""
        """Why the last render was called off, empty where it was not."""
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="oversight", daemon=True)
        if isinstance(link, Overseen):
            self._thread.start()

    @property
    def hindrance(self) -> str:
        """Return why this machine should not render now, empty where nothing speaks against it."""
        return "" if self._wish == Wish() else hindrance(self._wish, self._here())

    @contextmanager
    def telling(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener` when something begins to speak against rendering while the block runs."""
        with self._lock:
            self.called_off = ""
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)

    def end(self) -> None:
        """Ask no more."""
        self._ended.set()

    def ask(self) -> None:
        """Ask for the owner's wishes, and obey them; what cannot be asked stays as it was."""
        if not isinstance(self._link, Overseen):
            return
        try:
            self._wish = self._link.wish()
        except FarmPaused:
            self._wish = Wish(Command.PAUSE, self._wish.rules)
        except (FarmUnreachable, FarmRefused) as error:
            _log.debug("wish_unknown error=%s", error)
        if self._wish.command is Command.STOP and not self._stop.is_urgent:
            _log.info("told_to_stop")
            self._stop.ask()
            self._stop.ask()
        elif why := self._grave():
            self._tell(why)

    def _grave(self) -> str:
        """Return what ends even a render that has begun; its own load is no reason for that."""
        return "" if (why := self.hindrance).startswith("load ") else why

    def _tell(self, why: str) -> None:
        with self._lock:
            listeners = list(self._listeners)
        if listeners:
            self.called_off = why
            _log.info("giving_back why=%s", why)
        for listener in listeners:
            listener()

    def _run(self) -> None:
        while not self._ended.wait(self._ask_s):
            try:
                self.ask()
            except Exception:  # noqa: BLE001 -- whatever the farm answers, the next answer may be better
                _log.exception("wish_broken")
