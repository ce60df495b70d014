"""A pool of long-lived children that judge strangers' files, so that no file can take the server down.

A child is a fresh interpreter (`inspecting.py`), limited in memory from its first moment, and knows neither the
server's environment nor its open files. It is fed paths and answers with plain JSON over a socket pair; nothing it
sends is unpickled, as a child that a file has taken over would be a stranger too. The parent keeps the deadline.
"""

import base64
import json
import logging
import math
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sheepfold.kinds.cores import all_cores
from sheepfold.kinds.inspecting import SMALL_BYTES
from sheepfold.kinds.registry import KINDS
from sheepfold.kinds.seam import Facts, Inspection, Soundness
from sheepfold.model.errors import InvalidSpec, Overloaded, Unavailable, UndecodablePicture

log = logging.getLogger(__name__)

MIB = 1024 * 1024
_LONGEST_ANSWER = SMALL_BYTES * 4 // 3 + 64 * 1024  # a smaller copy's PNG comes in base64
_START_S = 60.0  # a loaded machine may be slow to import numpy
_PATIENCE_S = 60.0
_DEATH_S = 5.0
_GRACE_S = 2
_PART_BYTES = 64 * 1024
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class _NoAnswer(Exception):
    """A child failed, died or overstayed; the text says which."""


class _ChildLost(_NoAnswer):
    """The child is gone, or must go."""


class _Overstayed(_ChildLost):
    """The child did not answer in time."""


class _Innocent(_ChildLost):
    """The child was killed from without, or a busy machine gave it no time: that says nothing about the file."""


class Inspector:
    """Inspections, comparisons and smaller copies by `children` processes, each for one caller at a time.

    Safe for many threads. Children start on first use, or all at once by `start`. `deadline_s` is the longest that one
    file may take, `memory_mib` the address space of a child, and a child is renewed after `renew_after` files.
    """

    def __init__(
        self, children: int = 2, *, deadline_s: float = 20.0, memory_mib: int = 2048, renew_after: int = 1000
    ) -> None:
        self._deadline_s = deadline_s
        self._memory_mib = memory_mib
        self._renew_after = renew_after
        self._seats: queue.LifoQueue[_Seat] = queue.LifoQueue()
        self._all = [_Seat() for _ in range(children)]
        self._closed = threading.Event()
        self._listeners: list[Callable[[float], None]] = []
        for seat in self._all:
            self._seats.put(seat)

    def start(self) -> None:
        """Start every child now; raises Unavailable where one does not come up."""
        taken = [self._seats.get() for _ in self._all]
        try:
            for seat in taken:
                self._child(seat)
        finally:
            for seat in taken:
                self._seats.put(seat)

    def inspect(self, kind: str, path: Path, facts: Facts) -> Inspection:
        """Judge a file. A child that dies of it or overstays means UNDECODABLE; one that was killed from without, or
        got hardly any processor time, is replaced once.

        Raises FileNotFoundError where there is no such file, Overloaded where no child was free for a minute, and
        Unavailable where children do not start or the inspector is closed: neither says anything about the file.
        """
        _check_kind(kind)
        path.stat()
        try:
            question = {"do": "inspect", "kind": kind, "path": str(path.absolute()), **_plain(facts)}
            return _inspection(self._ask(question))
        except _NoAnswer as error:
            log.warning("inspection_failed kind=%s path=%s reason=%s", kind, path, error)
            return Inspection(Soundness.UNDECODABLE, f"The picture could not be read: {error}.")

    def same(self, kind: str, one: Path, other: Path, facts: Facts) -> bool:
        """Say whether two files are the same picture; False where a child dies of them. Raises as `inspect` does."""
        _check_kind(kind)
        one.stat()
        other.stat()
        paths = {"path": str(one.resolve()), "other": str(other.resolve())}
        try:
            return self._ask({"do": "same", "kind": kind, **paths, **_plain(facts)}).get("same") is True
        except _NoAnswer as error:
            log.warning("comparison_failed kind=%s path=%s other=%s reason=%s", kind, one, other, error)
            return False

    def shrink(self, path: Path, width: int) -> bytes:
        """Return a copy of a picture as PNG, `width` pixels wide at most.

        Raises UndecodablePicture, also where a child dies of it or the copy has more than SMALL_BYTES, and else as
        `inspect` does.
        """
        path.stat()
        try:
            answer = self._ask({"do": "shrink", "path": str(path.absolute()), "width": width})
            return base64.b64decode(answer["png"])
        except (_NoAnswer, KeyError, TypeError, ValueError) as error:
            log.warning("shrinking_failed path=%s reason=%s", path, error)
            raise UndecodablePicture(f"There is no smaller copy of the picture: {error}.") from error

    def listen(self, listener: Callable[[float], None]) -> None:
        """Have a function called after each file with the seconds that it took, without the wait for a child."""
        self._listeners.append(listener)

    def close(self) -> None:
        """End all children; calls that still run raise Unavailable. May be called again."""
        self._closed.set()
        for seat in self._all:
            if seat.child is not None:
                seat.child.kill()  # only a seat's user may close its line; `_ask` does, on the death

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """Return the process ids of the children that live now."""
        return [seat.child.pid for seat in self._all if seat.child is not None and seat.child.lives]

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        try:
            seat = self._seats.get(timeout=_PATIENCE_S)
        except queue.Empty as error:
            raise Overloaded from error
        start = time.monotonic()
        try:
            return self._asked_twice(seat, question)
        except _ChildLost as error:
            if self._closed.is_set():
                raise Unavailable("The inspector is closed.") from error
            raise
        finally:
            self._seats.put(seat)
            for listener in self._listeners:
                listener(time.monotonic() - start)

    def _asked_twice(self, seat: "_Seat", question: Mapping[str, Any]) -> dict[str, Any]:
        """Ask a seat's child, and once more a new one where the first was lost by no fault of the file."""
        try:
            return self._child(seat).ask(question, self._deadline_s)
        except _Innocent:
            return self._child(seat).ask(question, self._deadline_s)

    def _child(self, seat: "_Seat") -> "_Child":
        """Return the seat's child, a new one where it has none, lost it, or wore it out."""
        if seat.child is not None and (not seat.child.lives or seat.child.asked >= self._renew_after):
            seat.child.end()
            seat.child = None
        if self._closed.is_set():
            raise Unavailable("The inspector is closed.")
        if seat.child is None:
            seat.child = _Child(self._memory_mib, math.ceil(self._deadline_s) + _GRACE_S)
            if self._closed.is_set():  # while the child came up, when `close` could not see it
                seat.child.end()
                raise Unavailable("The inspector is closed.")
        return seat.child


class _Seat:
    """A place for one child; whoever took the seat from the queue may use it."""

    __slots__ = ("child",)

    def __init__(self) -> None:
        self.child: _Child | None = None


class _Child:
    """One process and the line to it."""

    def __init__(self, memory_mib: int, longest_s: int) -> None:
        self.asked = 0
        with ExitStack() as begun:
            try:
                self._line, far = socket.socketpair()
                begun.callback(self._line.close)
                with far:
                    self._process = _spawn(far, memory_mib, longest_s)
            except OSError as error:  # no more files, say, or processes
                raise Unavailable(f"An inspection process did not start: {error.strerror}.") from error
            begun.pop_all()
        try:
            self._receive(_START_S)
        except _ChildLost as error:
            self.end()
            raise Unavailable(f"An inspection process did not start: {error}.") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.poll() is None and self._line.fileno() >= 0

    def ask(self, question: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
        """Return the answer to one question; the child is ended, and _ChildLost raised, where there is none in time."""
        self.asked += 1
        message = json.dumps(question).encode() + b"\n"
        spent_s = self._processor_s()
        try:
            self._send(message, deadline_s)
            answer = self._receive(deadline_s)
        except _ChildLost as error:
            is_innocent = self._is_innocent(error, was_starved=self._processor_s() - spent_s < deadline_s / 2)
            self.end()
            if is_innocent:
                raise _Innocent(str(error)) from error
            raise
        if "error" in answer:
            raise _NoAnswer(str(answer["error"])[:500])
        return answer

    def _is_innocent(self, error: _ChildLost, *, was_starved: bool) -> bool:
        if isinstance(error, _Overstayed):
            return was_starved
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_DEATH_S) == -signal.SIGKILL  # limits and crashes have signals of their own
        return False

    def _processor_s(self) -> float:
        """Return how much processor time the child has had so far; 0 where nobody tells."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2)  # Linux: what clock_getcpuclockid(3) makes of a process id
        except OSError:
            return 0.0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        self.kill()
        self._line.close()

    def _send(self, message: bytes, deadline_s: float) -> None:
        try:
            self._line.settimeout(deadline_s)
            self._line.sendall(message)
        except OSError as error:
            raise _ChildLost("the process that read it died") from error

    def _receive(self, deadline_s: float) -> dict[str, Any]:
        try:
            answer = json.loads(self._read_line(time.monotonic() + deadline_s))
        except TimeoutError as error:
            raise _Overstayed(f"it took more than {deadline_s:g} seconds") from error
        except (EOFError, OSError) as error:
            raise _ChildLost("the process that read it died") from error
        except (ValueError, RecursionError) as error:
            raise _ChildLost("the process that read it answered nonsense") from error
        if not isinstance(answer, dict):
            raise _ChildLost("the process that read it answered nonsense")
        return answer

    def _read_line(self, ends_at: float) -> bytes:
        """Return what the child writes up to the end of a line; raises TimeoutError where that does not come in time,
        however little comes each time.
        """
        line = bytearray()
        while not line.endswith(b"\n"):
            if (left_s := ends_at - time.monotonic()) <= 0:
                raise TimeoutError
            self._line.settimeout(left_s)
            part = self._line.recv(_PART_BYTES)
            if not part:
                raise EOFError
            line += part
            if len(line) > _LONGEST_ANSWER:
                raise ValueError
        return bytes(line)


def _spawn(far: socket.socket, memory_mib: int, longest_s: int) -> "subprocess.Popen[bytes]":
    """Start the child with its end of the line, an environment of its own, and a session that no Ctrl-C reaches."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    paths = [str(_PACKAGE_ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    environment["OPENBLAS_NUM_THREADS"] = "1"  # each of its threads would reserve address space
    limits = str(memory_mib * MIB), str(longest_s)
    argv = [sys.executable, "-B", "-m", "sheepfold.kinds.inspecting", str(far.fileno()), *limits]
    with all_cores():
        return subprocess.Popen(
            argv,
            env=environment,
            pass_fds=[far.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise InvalidSpec(f"There is no kind {kind!r}; there are {', '.join(KINDS)}.")


def _inspection(answer: Mapping[str, Any]) -> Inspection:
    try:
        return Inspection(
            Soundness(answer["soundness"]),
            str(answer["reason"]),
            str(answer["media_type"]),
            int(answer["width"]),
            int(answer["height"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _NoAnswer("the process that read it answered nonsense") from error


def _plain(facts: Facts) -> dict[str, Any]:
    return {"spec": dict(facts.spec), "frame": facts.frame, "part": facts.part}
