"""Being asked to stop: once, to finish what is begun; twice, to drop it at once."""

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name))
URGENT_S = 10.0
"""How long an urgent stop waits for what the farm has yet to answer; what is on the disk then is for the next start."""
_END = 0  # no signal has this number
_log = logging.getLogger(__name__)


class Stop:
    """Whether, and how urgently, the worker was asked to stop; safe for many threads."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._urgent = threading.Event()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    @property
    def is_asked(self) -> bool:
        """Say whether no new task shall be begun."""
        return self._asked.is_set()

    @property
    def is_urgent(self) -> bool:
        """Say whether the current task shall be given back at once."""
        return self._urgent.is_set()

    def ask(self) -> None:
        """Ask to stop; a second call is urgent."""
        (self._urgent if self.is_asked else self._asked).set()
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the worker is asked to stop."""
        self._asked.wait(seconds)

    @contextmanager
    def telling(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener` whenever the worker is asked to stop while the block runs, and now if it was before."""
        with self._lock:
            self._listeners.append(listener)
        try:
            if self.is_asked:
                listener()
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)


def run_until_done(deed: Callable[[], None], stop: Stop) -> None:
    """Run `deed` in a thread while this one, the main thread, takes signals; a third signal ends the process.

    After an urgent wish to stop it may return without the thread, which is a daemon and waits for the farm.

    Python runs a signal's handler between two steps of the main thread, whatever locks that holds. So the handlers do
    nothing here: the signal's number arrives on a socket, and the main thread does nothing but read it.
    """
    near, far = socket.socketpair()
    far.setblocking(False)
    errors: list[BaseException] = []
    thread = threading.Thread(target=_do, args=(deed, far, errors), name="loop", daemon=True)
    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    old_fd = signal.set_wakeup_fd(far.fileno())
    try:
        thread.start()
        while (number := near.recv(1)[0]) != _END:
            stop.ask()
            _log.info("stop_asked signal=%d urgent=%s", number, stop.is_urgent)
            if stop.is_urgent:
                _restore(before)
                near.settimeout(URGENT_S)
        thread.join()
    except TimeoutError:
        _log.warning("stopped_hard waited_s=%g", URGENT_S)
    finally:
        signal.set_wakeup_fd(old_fd)
        _restore(before)
        near.close()
        far.close()
    if errors:
        raise errors[0]


def _do(deed: Callable[[], None], far: socket.socket, errors: list[BaseException]) -> None:
    try:
        deed()
    except BaseException as error:  # noqa: BLE001 -- it is raised anew in the main thread
        errors.append(error)
    finally:
        with suppress(OSError):  # nobody waited
            far.send(bytes([_END]))


def _restore(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
