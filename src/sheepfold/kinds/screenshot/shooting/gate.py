"""The one way from a browser to the network: a proxy outside the walls, which reaches no address that is not public.

The name is looked up here and the address that was checked is the address that is called, so that a name which changes
its mind between check and call (DNS rebinding) gains nothing. The browser's walls have no network: whatever takes over
the browser has this proxy and nothing else.
"""

import asyncio
import contextlib
import ipaddress
import os
import re
import threading
from collections.abc import Coroutine, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from sheepfold.kinds.screenshot.shooting.pipes import HEAD_BYTES, pump

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SOCKET = "way"
_CALL_S = 20.0
_HEAD_S = 30.0
_HOP = (b"connection:", b"proxy-connection:", b"keep-alive:", b"proxy-authorization:")
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # 64:ff9b:1::/48 (RFC 8215) leads where a network's own rules say
# what some Python or other takes for global: site-local (RFC 3879), protocols' own, where a cloud's metadata lie
# (RFC 6890), relays of 6to4 (RFC 7526), documentation (RFC 9637)
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("fec0::/10", "192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
_NAT64_MASK = 2**32 - 1


class Refused(Exception):
    """The browser may not go there."""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks such as 127.0.0.0/8 or one address; raises ValueError for what is none."""
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts if text.strip())


def is_open(address: Address, allowed: Iterable[Network]) -> bool:
    """Say whether an address may be called: a public one, or one of the networks that the machine's owner allows.

    An IPv4 address inside an IPv6 address (mapped, 6to4, Teredo, NAT64) counts as the IPv4 address.
    """
    inner = _inner(address)
    if any(one in network for one in (address, inner) for network in allowed):
        return True
    if any(inner in network for network in _NOT_PUBLIC):
        return False
    return inner.is_global and not (inner.is_multicast or inner.is_reserved)


def _inner(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & _NAT64_MASK)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None) or address


class Gate:
    """A proxy at a local socket in a folder, run by a thread of its own; `refused` names the hosts it kept away."""

    def __init__(self, folder: Path, allowed: Iterable[Network] = ()) -> None:
        self._folder = folder
        self._allowed = tuple(allowed)
        self.refused: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)

    def start(self) -> None:
        """Let browsers through from now on."""
        self._thread.start()
        self._call(self._listen())

    def close(self) -> None:
        """Close the way and whatever is under way; may be called twice."""
        if self._loop.is_closed():
            return
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        (self._folder / SOCKET).unlink(missing_ok=True)

    def _call(self, deed: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(deed, self._loop).result(30)

    async def _listen(self) -> None:
        (self._folder / SOCKET).unlink(missing_ok=True)
        with _short(self._folder) as folder:
            self._server = await asyncio.start_unix_server(self._serve, f"{folder}/{SOCKET}", limit=HEAD_BYTES)

    async def _stop(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_S)
            await self._pass(head, reader, writer)
        except (OSError, Refused, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the browser sees a line that was cut, and says so
        except asyncio.CancelledError:
            if self._server.is_serving():
                raise
        finally:
            writer.transport.abort() if writer.transport.get_write_buffer_size() == 0 else writer.close()

    async def _pass(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
        is_tunnel = method == b"CONNECT"
        parts = urlsplit(f"//{target.decode('ascii')}" if is_tunnel else target.decode("ascii"))
        if not parts.hostname or (not is_tunnel and parts.scheme != "http"):
            raise Refused(target)
        far_reader, far_writer = await self._called(parts.hostname, parts.port or 80)
        try:
            if is_tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = pump(far_reader, writer)
            else:
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                far_writer.write(_once(head, b" ".join((method, path.encode(), b"HTTP/1.1"))))
                back = _answer(far_reader, writer)
            await _both(pump(reader, far_writer), back)
        finally:
            far_writer.transport.abort()

    async def _called(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Look a host up and call the first of its addresses that may be called and answers."""
        found = await self._loop.getaddrinfo(host, port, proto=6)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        # An address of a zone (fe80::1%eth0) is of this link alone.
        opened = [one for one in addresses if "%" not in one and is_open(ipaddress.ip_address(one), self._allowed)]
        if not opened:
            self.refused.append(host)
            raise Refused(host)
        for address in opened:
            with contextlib.suppress(OSError, TimeoutError):
                return await asyncio.wait_for(asyncio.open_connection(address, port, limit=HEAD_BYTES), _CALL_S)
        raise OSError(f"{host} does not answer")


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[str]:
    """Give a folder a short name while the block runs: a local socket's path has 104 to 108 bytes at most."""
    if not Path("/proc/self/fd").is_dir():
        yield str(folder)
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def _once(head: bytes, first: bytes) -> bytes:
    """Return a head with another first line, for a connection that serves one request.

    A browser asks its proxy for one host after another on one connection, and this proxy calls one host a connection.
    """
    lines = head[:-4].split(b"\r\n")[1:]
    kept = [line for line in lines if not line.lower().startswith(_HOP)]
    return b"\r\n".join([first, *kept, b"Connection: close", b"", b""])


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass an answer on; its head says that the connection serves no other."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        first = head.split(b"\r\n", 1)[0]
        writer.write(_once(head, first))
        if not re.match(rb"HTTP/1\.\d 1\d\d", first):
            break
    await pump(reader, writer)


async def _both(there: Coroutine[None, None, None], back: Coroutine[None, None, None]) -> None:
    """Pump both ways until the far side has said all; what the browser still says then is lost."""
    going = asyncio.ensure_future(there)
    try:
        await back
    finally:
        going.cancel()

