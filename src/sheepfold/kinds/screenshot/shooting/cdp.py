"""The protocol of Chromium's developer tools, spoken over two pipes to a browser that is started here.

Chromium reads commands from its file 3 and writes answers and events to its file 4: JSON, each message ended by a zero
byte. A command has an `id`, a `method`, `params`, and the `sessionId` of the page it is for; its answer has the same
`id` and a `result` or an `error`; an event has a `method` and no `id`. No port is opened that a page could call.
"""

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sheepfold.kinds.screenshot.shooting.shot import ShotFailed

_CHUNK_BYTES = 1024 * 1024
_HIGH = 10  # numbers of files from here on are in nobody's way when two of them become 3 and 4
Told = dict[str, Any]


class Refusal(ShotFailed):
    """The browser refused a command."""


class Cdp:
    """A browser and the pipes to it. Commands are sent by one thread; answers and events are read by another."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], patience_s: float,
                 heard: Callable[[Told], None] = lambda _: None) -> None:  # fmt: skip
        """Start a browser. `heard` is called with each event by the reading thread: it may post, and must not wait."""
        self._patience_s = patience_s
        self._heard = heard
        self._news = threading.Condition()
        self._answers: dict[int, Told] = {}
        self._is_closed = False
        self._number = 0
        self._sending = threading.Lock()
        self._pid, self._to, self._from = _launched(argv, environment)
        threading.Thread(target=self._read, name="cdp", daemon=True).start()

    def send(self, method: str, session: str = "", **parameters: object) -> Told:
        """Give a command and return its result; raises Refusal, or ShotFailed where the browser died or hangs."""
        number = self.post(method, session, **parameters)
        end = time.monotonic() + self._patience_s
        with self._news:
            while number not in self._answers:
                if self._is_closed:
                    raise ShotFailed("the browser crashed")
                if not self._news.wait(end - time.monotonic()):
                    raise ShotFailed(f"the browser hangs: no answer to {method}")
            answer = self._answers.pop(number)
        if "error" in answer:
            raise Refusal(f"{method}: {answer['error'].get('message', 'refused')}"[:300])
        result: Told = answer.get("result", {})
        return result

    def post(self, method: str, session: str = "", **parameters: object) -> int:
        """Give a command and return its number without waiting for its answer; raises ShotFailed where it died."""
        with self._sending:
            self._number += 1
            number = self._number
            told = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
            try:
                _write(self._to, json.dumps(told).encode() + b"\0")
            except OSError as error:
                raise ShotFailed("the browser crashed") from error
        return number

    def answer(self, number: int) -> Told:
        """Return the answer to a posted command; nothing while there is none."""
        with self._news:
            return self._answers.get(number, {})

    def forget(self, number: int) -> None:
        """Forget the answer to a posted command."""
        with self._news:
            self._answers.pop(number, None)

    def close(self) -> None:
        """End the browser with all it started; may be called twice."""
        if self._pid:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            os.close(self._to)
            self._pid = 0

    def _read(self) -> None:
        pending = bytearray()
        try:
            while piece := os.read(self._from, _CHUNK_BYTES):
                *whole, rest = piece.split(b"\0")
                for part in whole:
                    self._take(json.loads(bytes(pending + part)))
                    pending.clear()
                pending += rest
        except (OSError, ValueError):
            pass  # whoever waits learns of it below
        finally:
            os.close(self._from)
            with self._news:
                self._is_closed = True
                self._news.notify_all()

    def _take(self, told: Told) -> None:
        if "id" not in told:
            with suppress(ShotFailed):
                self._heard(told)
            return
        with self._news:
            self._answers[told["id"]] = told
            self._news.notify_all()


def _launched(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[int, int, int]:
    """Start a browser that leads a group of its own; returns its number, and the files to write to and to read from."""
    theirs_in, ours_out = _high_pipe()
    ours_in, theirs_out = _high_pipe()
    files: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    files += [(os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
    try:
        pid = os.posix_spawn(argv[0], list(argv), dict(environment), file_actions=files, setsid=True)
    except OSError as error:
        os.close(ours_out)
        os.close(ours_in)
        raise ShotFailed(f"{argv[0]} cannot be started: {error.strerror}") from error
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    return pid, ours_out, ours_in


def _high_pipe() -> tuple[int, int]:
    low = os.pipe()
    high = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, _HIGH) for one in low]
    for one in low:
        os.close(one)
    return high[0], high[1]


def _write(file: int, message: bytes) -> None:
    left = memoryview(message)
    while left:
        left = left[os.write(file, left):]
