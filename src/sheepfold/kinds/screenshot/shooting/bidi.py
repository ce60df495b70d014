"""A small client of WebDriver BiDi over a websocket: commands with answers, and the events that came meanwhile.

After the W3C's WebDriver BiDi (working draft of 2025): each command is JSON with an `id`, a `method` and `params`; its
answer has the same `id` and a `type` of success or error; an event has a `method` and no `id`.
"""

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from sheepfold.kinds.screenshot.shooting.shot import ShotFailed

LARGEST_MESSAGE = 512 * 2**20  # a picture in base64


class Refusal(ShotFailed):
    """The browser refused a command; `code` is BiDi's name for the error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}".strip().splitlines()[0][:300])
        self.code = code


class Bidi:
    """A connection to a browser. Commands are sent by one thread; the answers are read by another."""

    def __init__(self, url: str, patience_s: float) -> None:
        self._patience_s = patience_s
        try:
            self._socket = connect(url, max_size=LARGEST_MESSAGE, compression=None, proxy=None, open_timeout=patience_s)
        except (OSError, TimeoutError, ConnectionClosed) as error:
            raise ShotFailed(f"the browser does not listen: {error}") from error
        self._news = threading.Condition()
        self._answers: dict[int, dict[str, Any]] = {}
        self._events: list[dict[str, Any]] = []
        self._is_closed = False
        self._number = 0
        threading.Thread(target=self._read, name="bidi", daemon=True).start()

    def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """Give a command and return its result; raises Refusal, or ShotFailed where the browser died or hangs."""
        number = self.post(method, **parameters)
        end = time.monotonic() + self._patience_s
        with self._news:
            while number not in self._answers:
                if self._is_closed:
                    raise ShotFailed("the browser crashed")
                if not self._news.wait(end - time.monotonic()):
                    raise ShotFailed(f"the browser hangs: no answer to {method}")
            answer = self._answers.pop(number)
        if answer.get("type") == "error":
            raise Refusal(str(answer.get("error")), str(answer.get("message", "")))
        result: dict[str, Any] = answer.get("result", {})
        return result

    def post(self, method: str, **parameters: object) -> int:
        """Give a command and return its number without waiting for its answer."""
        self._number += 1
        message = json.dumps({"id": self._number, "method": method, "params": parameters})
        try:
            self._socket.send(message)
        except (ConnectionClosed, OSError) as error:
            raise ShotFailed("the browser crashed") from error
        return self._number

    def complaint(self, number: int) -> str:
        """Return what the browser says against a posted command; an empty text where it obeyed, or has not answered."""
        with self._news:
            answer = self._answers.get(number, {})
        return str(answer.get("message") or answer["error"])[:300] if answer.get("type") == "error" else ""

    def events(self, method: str) -> list[Mapping[str, Any]]:
        """Return the parameters of all events of a name that came so far, the oldest first."""
        with self._news:
            return [event["params"] for event in self._events if event.get("method") == method]

    def forget(self) -> None:
        """Forget the events that came so far."""
        with self._news:
            self._events.clear()
            self._answers.clear()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _read(self) -> None:
        try:
            for message in self._socket:
                told = json.loads(message)
                with self._news:
                    if told.get("id") is not None:
                        self._answers[told["id"]] = told
                    else:
                        self._events.append(told)
                    self._news.notify_all()
        except (ConnectionClosed, OSError, ValueError):
            pass  # whoever waits learns of it below
        finally:
            with self._news:
                self._is_closed = True
                self._news.notify_all()
