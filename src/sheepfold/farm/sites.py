"""Which pages may be photographed: checked when they are ordered, and again when a browser is led to them.

Between the two a name may have changed its addresses (DNS rebinding), and a site its mind (robots.txt).
"""

import contextlib
import http.client
import logging
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from sheepfold.config import Settings
from sheepfold.farm.calls import called
from sheepfold.kinds.screenshot.shooting.gate import is_open, networks
from sheepfold.kinds.screenshot.spec import checked_url
from sheepfold.model.errors import Forbidden, InvalidSpec

AGENTS = ("Sheepfold", "Browsershots")
"""A site that keeps either out keeps us out: robots.txt files of old name the old service."""
NAME_S = 8.0
"""How long a name may take to be found."""
ROBOTS_S = 10.0
"""How long a robots.txt may take in all, and `CALL_S` each step of it."""
CALL_S = 5.0
ROBOTS_BYTES = 512 * 1024  # RFC 9309, section 2.5: at least 500 KiB are read
ROBOTS_REDIRECTS = 5  # RFC 9309, section 2.3.1.2
REMEMBERED_S = 600
REMEMBERED_SITES = 1000
REMEMBERED_BYTES = 4 * 1024 * 1024
"""What the texts of all robots.txt that are remembered may have in all; as rules they take up to sixteen times that."""
_PORTS = {"http": 80, "https": 443}

Resolve = Callable[[str, int], Sequence[str]]
"""Of a host and a port: all its addresses; raises OSError where there is none."""

_log = logging.getLogger(__name__)
_resolvers = ThreadPoolExecutor(8, thread_name_prefix="resolver")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the owner allows and forbids."""

    allowed_ranges: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    obey_robots: bool = True


def rules_of(settings: Settings) -> Rules:
    """Return the owner's rules."""
    return Rules(settings.screenshot_allowed_ranges, settings.screenshot_blocked_domains,
                 settings.screenshot_obey_robots)


def system_addresses(host: str, port: int) -> list[str]:
    """Return all addresses of a host, as this machine finds them; raises OSError, also when that takes too long."""
    found = _resolvers.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found.result(NAME_S)))


def check_site(rules: Rules, url: str, resolve: Resolve = system_addresses) -> str:
    """Return a URL that may be photographed, in its plain form; raises InvalidSpec or Forbidden with a sentence."""
    plain = checked_url(url)
    parts = urlsplit(plain)
    _check_domain(rules, parts.hostname or "")
    address = checked_addresses(rules, parts, resolve)[0]
    if rules.obey_robots and not _robots.allows(rules, plain, address, resolve):
        raise Forbidden(f"The site's robots.txt keeps {' and '.join(AGENTS)} away from {plain[:200]}.")
    return plain


def domain_of(url: str) -> str:
    """Return the domain that limits count by: the host without a leading www."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host.removeprefix("www.")


def _check_domain(rules: Rules, host: str) -> None:
    name = host.rstrip(".").casefold()
    for blocked in rules.blocked_domains:
        domain = blocked.casefold().strip(".")
        if name == domain or name.endswith("." + domain):
            raise Forbidden(f"The owner of this farm has blocked {domain}.")


def checked_addresses(rules: Rules, parts: SplitResult, resolve: Resolve) -> Sequence[str]:
    """Return the addresses of a URL's host, all of which must be public or allowed, since a browser may take any.

    Raises InvalidSpec where there is none, and Forbidden.
    """
    host = parts.hostname or ""
    try:
        addresses = [address.partition("%")[0] for address in resolve(host, port_of(parts))]
    except (OSError, TimeoutError, UnicodeError):
        addresses = []
    if not addresses:
        raise InvalidSpec(f"There is no host {host[:80]!r}: its name leads to no address.")
    allowed = networks(rules.allowed_ranges)
    for address in addresses:
        if not is_open(ip_address(address), allowed):
            raise Forbidden(f"{host[:80]} leads to {address}, which is no public address.")
    return addresses


def port_of(parts: SplitResult) -> int:
    """Return the port of a URL, its scheme's own where it names none."""
    return parts.port or _PORTS[parts.scheme]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a site allows, read of a text of so many bytes, and until when that is believed."""

    rules: RobotFileParser
    size_bytes: int
    until: float


class _Robots:
    """What sites allow, remembered for some minutes: the second check follows the first within one of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._size_bytes = 0

    def allows(self, rules: Rules, url: str, address: str, resolve: Resolve) -> bool:
        """Say whether a site lets us see a page; raises Forbidden where it does not tell."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        now = time.monotonic()
        with self._lock:
            known = self._known.get((origin, address))
        if known is None or known.until < now:
            known = _read_robots(rules, origin, resolve, now + REMEMBERED_S)
            self._keep((origin, address), known)
        return all(known.rules.can_fetch(agent, url) for agent in AGENTS)

    def _keep(self, site: tuple[str, str], known: _Known) -> None:
        """Remember a site, and forget the oldest ones where they are too many or too long."""
        with self._lock:
            if site in self._known:
                self._size_bytes -= self._known.pop(site).size_bytes
            self._known[site] = known
            self._size_bytes += known.size_bytes
            while len(self._known) > REMEMBERED_SITES or self._size_bytes > REMEMBERED_BYTES:
                self._size_bytes -= self._known.popitem(last=False)[1].size_bytes


_robots = _Robots()


def _read_robots(rules: Rules, origin: str, resolve: Resolve, until: float) -> _Known:
    """Fetch and read a site's robots.txt, which must be readable or absent (protocol note, section 4.4)."""
    try:
        status, body = _fetched(rules, f"{origin}/robots.txt", resolve)
    except (OSError, http.client.HTTPException, ValueError) as error:
        _log.info("robots=unreadable site=%s reason=%s", origin, error)
        raise Forbidden(f"The robots.txt of {origin} cannot be read: the site does not answer.") from error
    if status >= 500 or status in {401, 403, 429}:
        raise Forbidden(f"The robots.txt of {origin} cannot be read: the site answers with {status}.")
    said = body if status < 300 else b""
    parser = RobotFileParser()
    parser.parse(said.decode("utf-8", "replace").lstrip("\ufeff").splitlines())
    return _Known(parser, len(said), until)


def _fetched(rules: Rules, url: str, resolve: Resolve) -> tuple[int, bytes]:
    """Fetch a small file, following redirects that the same rules allow; raises OSError when its time is up."""
    deadline = time.monotonic() + ROBOTS_S
    for _ in range(ROBOTS_REDIRECTS + 1):
        parts = urlsplit(checked_url(url))
        address = checked_addresses(rules, parts, resolve)[0]
        status, headers, body = _asked(parts, address, deadline)
        if status not in {301, 302, 303, 307, 308}:
            return status, body
        url = urljoin(url, headers.get("location", ""))
    return 404, b""  # RFC 9309, section 2.3.1.2: a longer chain may be taken for absent


def _asked(parts: SplitResult, address: str, deadline: float) -> tuple[int, Mapping[str, str], bytes]:
    """Ask the very address that was checked, so that nothing can change between check and call."""
    connection = http.client.HTTPConnection(parts.hostname or "", port_of(parts), timeout=CALL_S)
    whole_s = max(0.0, deadline - time.monotonic())
    with called(address, port_of(parts), step_s=CALL_S, whole_s=whole_s) as line, contextlib.closing(connection):
        connection.sock = line if parts.scheme == "http" else _veiled(line, parts.hostname)
        connection.request("GET", parts.path or "/", headers={"User-Agent": AGENTS[0], "Accept": "text/plain,*/*",
                                                              "Host": parts.netloc, "Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(ROBOTS_BYTES)
        if time.monotonic() > deadline:
            raise TimeoutError(f"It takes longer than {ROBOTS_S:g} s.")
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def _veiled(line: socket.socket, host: str | None) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # pages with certificates of their own are photographed too
    return context.wrap_socket(line, server_hostname=host)
