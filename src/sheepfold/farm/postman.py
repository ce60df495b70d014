"""The postman: brings webhooks their letters, to addresses that were checked, and tries again."""

import contextlib
import http.client
import logging
import random
import re
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from sheepfold.farm.calls import called
from sheepfold.farm.farm import Farm
from sheepfold.farm.letters import Letter, letter_of
from sheepfold.farm.sites import Resolve, Rules, checked_addresses, port_of, system_addresses
from sheepfold.farm.webhooks import fan_out
from sheepfold.model.errors import Forbidden, InvalidSpec, Unavailable
from sheepfold.store import webhooks as hook_rows
from sheepfold.store.database import Tx
from sheepfold.store.webhooks import Delivery, Hook

BEAT_S = 1.0
CALL_S = 10.0
"""How long each step of a delivery may take, and `WHOLE_S` all of it."""
WHOLE_S = 20.0
TAKEN_S = 60
"""How long a delivery is its house's own; after a crash it is sent again then, with the same id."""
ANSWER_BYTES = 1024
ATTEMPTS = 10
"""After how many failures of one delivery its hook is disabled: about four hours."""
FIRST_RETRY_S = 30
LONGEST_RETRY_S = 6 * 3600
AT_A_TIME = 16
SENDERS = 4
KEPT_S = 7 * 86_400
FORGET_PERIOD_S = 3600

_log = logging.getLogger(__name__)


class Undelivered(Exception):
    """A delivery did not arrive; says why."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the other side said: its status, how long it asks us to wait, and the beginning of its words."""

    status: int
    retry_s: int
    words: str

    @property
    def is_taken(self) -> bool:
        """Say whether the message arrived."""
        return 200 <= self.status < 300


def send(farm: Farm, letter: Letter, resolve: Resolve = system_addresses) -> Answered:
    """Send a letter to an address that is public or allowed; no redirect is followed. Raises Undelivered."""
    try:
        return _sent(farm, letter, resolve)
    except (InvalidSpec, Forbidden) as error:
        raise Undelivered(str(error)) from error
    except (OSError, TimeoutError, http.client.HTTPException, ValueError) as error:
        raise Undelivered(f"It cannot be reached: {type(error).__name__}: {error}"[:300]) from error


def _sent(farm: Farm, letter: Letter, resolve: Resolve) -> Answered:
    parts = urlsplit(letter.url)
    host, port = parts.hostname or "", port_of(parts)
    address = checked_addresses(Rules(farm.settings.webhook_allowed_ranges), parts, resolve)[0]
    connection = http.client.HTTPConnection(host, port, timeout=CALL_S)
    # the address that was checked is the one that is called: a name may lead elsewhere a moment later
    with (called(address, port, step_s=CALL_S, whole_s=WHOLE_S, closing=farm.closing) as line,
          contextlib.closing(connection)):
        is_veiled = parts.scheme == "https"
        connection.sock = ssl.create_default_context().wrap_socket(line, server_hostname=host) if is_veiled else line
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"User-Agent": "Sheepfold", "Connection": "close", "Host": parts.netloc, **letter.headers}
        connection.request(letter.method, target, letter.body, headers)
        answer = connection.getresponse()
        words = answer.read(ANSWER_BYTES).decode("utf-8", "replace")
        return Answered(answer.status, _retry_s(answer.getheader("Retry-After")), _plain(words))


def _plain(words: str) -> str:
    return "".join(one if one.isprintable() else " " for one in words)[:200].strip()


def _retry_s(header: str | None) -> int:
    """Return how many seconds the other side asks us to wait: a number, or until a date; 0 for neither."""
    text = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", text):
        return int(float(text)) + 1
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max(0, int(parsedate_to_datetime(text).timestamp() - time.time()))
    return 0


def retry_delay_s(attempts: int, chance: float) -> int:
    """Return after how many seconds the next attempt follows: doubled each time, by half more or less by chance."""
    return int(min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** (attempts - 1)) * (0.5 + chance))


def deliver_due(farm: Farm, each: Callable[[Callable[[int], None], list[int]], object] | None = None,
                resolve: Resolve = system_addresses) -> int:
    """Send what is due now, one message for each hook, and a test; returns how many. `each` runs them, else one by one.

    A hook whose message failed is sent tests alone until that one is tried again.
    """
    now = farm.now()
    due = farm.db.look(lambda tx: hook_rows.due(tx, now, AT_A_TIME))

    def one(delivery_id: int) -> None:
        if not farm.closing.is_set():
            deliver(farm, delivery_id, resolve)

    list(map(one, due)) if each is None else each(one, due)
    return len(due)


def deliver(farm: Farm, delivery_id: int, resolve: Resolve = system_addresses) -> None:
    """Take a due delivery and send it, and write down how that went."""

    def take(tx: Tx) -> tuple[Hook, Delivery] | None:
        now = farm.now()
        taken = hook_rows.take_delivery(tx, delivery_id, now, now + TAKEN_S)
        return None if taken is None else (hook_rows.hook_of(tx, taken.hook_id), taken)

    found = farm.db.write(take)
    if found is None:
        return
    hook, delivery = found
    try:
        answered = send(farm, letter_of(hook, delivery, farm.now()), resolve)
        said = f"{answered.status} {answered.words}".strip()
    except Undelivered as error:
        if farm.closing.is_set():  # it was cut off; the next house sends it again
            return
        answered, said = Answered(0, 0, ""), str(error)
    _log.info("webhook=%d topic=%s delivery=%s attempt=%d answer=%d", hook.id, delivery.topic, delivery.notice,
              delivery.attempts, answered.status)
    _settle(farm, delivery, answered, said)


def _settle(farm: Farm, delivery: Delivery, answered: Answered, said: str) -> None:
    """Write down that a delivery arrived, when it is tried again, or that its hook is told no more.

    Of one that is gone nothing is: its hook was removed meanwhile, and another may bear its id.
    """
    now, chance = farm.now(), random.random()  # noqa: S311 -- spreads retries, guards nothing

    def settle(tx: Tx) -> None:
        if answered.is_taken:
            if hook_rows.settle(tx, delivery, said, next_at=None, delivered_at=now):
                hook_rows.wake(tx, delivery.hook_id, now, now + TAKEN_S)
            return
        wait_s = max(retry_delay_s(delivery.attempts, chance), min(answered.retry_s, LONGEST_RETRY_S))
        if not hook_rows.settle(tx, delivery, said, next_at=now + wait_s, delivered_at=None):
            return
        if answered.status == http.HTTPStatus.GONE:
            hook_rows.disable(tx, delivery.hook_id, "It answered that it is gone for good (410).", now)
        elif delivery.attempts >= ATTEMPTS:
            hook_rows.disable(tx, delivery.hook_id, f"{ATTEMPTS} attempts of a delivery failed; the last: {said}", now)

    farm.db.write(settle)


class Postman:
    """A thread of the house that brings webhooks their messages; whatever is slow there keeps nobody else waiting."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_round, name="postman", daemon=True)
        self._next_forget = 0.0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the deliveries at hand, and end."""
        self._ended.set()
        self._thread.join()

    def _go_round(self) -> None:
        with ThreadPoolExecutor(SENDERS, thread_name_prefix="sender") as senders:
            while not self._ended.wait(BEAT_S):
                try:
                    self._beat(senders)
                except Unavailable as error:
                    _log.warning("postman=waiting reason=%s", error)
                except Exception:  # noqa: BLE001 -- the postman must outlive whatever stumbles in it
                    _log.exception("postman=stumbled")

    def _beat(self, senders: ThreadPoolExecutor) -> None:
        fan_out(self._farm)
        deliver_due(self._farm, lambda one, due: list(senders.map(one, due)))
        if self._farm.elapsed() >= self._next_forget:
            self._next_forget = self._farm.elapsed() + FORGET_PERIOD_S
            self._farm.db.write(lambda tx: hook_rows.forget_before(tx, self._farm.now() - KEPT_S))
