"""A farm served by several processes: one dies and nobody notices, and together they count as one."""

import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.disks import small_disk
from tests.serving import CLEAN, Server

from sheepfold import supervisor
from sheepfold.app import SHARED
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.farm import open_farm
from sheepfold.model.accounts import Role
from sheepfold.protocols.registry import verifiers

DEADLINE_S = 120.0


@contextmanager
def served(data: Path, *words: str, environment=CLEAN):
    """Serve a farm by two processes until the block ends; gives the server once both have begun."""
    site = Server(data, "--processes", "2", *words, environment=environment)
    try:
        until(lambda: begun(site) >= 2)
        until(lambda: all(shared(site, url) for url in site.urls.values()))
        yield site
    finally:
        site.end(signal.SIGKILL)


def begun(site: Server) -> int:
    """Return how many processes have begun to serve, from the start; each says so once for each door."""
    return sum("Started server process" in line for line in site.log) // len(site.urls)


def shared(site: Server, url: str) -> bool:
    """Say whether both processes take what comes at a door."""
    where = urlsplit(url)
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(socket.create_connection((where.hostname, where.port)))
        time.sleep(0.2)
        return 0 not in held_by(site)


def until(is_so) -> None:
    ends_at = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(0.05)


def servers(site: Server) -> list[psutil.Process]:
    """Return the processes that serve, the one that keeps house first."""
    children = psutil.Process(site.process.pid).children()
    return [child for child in children if not any("resource_tracker" in word for word in child.cmdline())]


def asked(site: Server, path: str, times: int = 1, **more) -> list[httpx.Response]:
    """Ask, each time over a connection of its own, which any of the processes may take."""
    return [httpx.get(site.url + path, timeout=60, trust_env=False, **more) for _ in range(times)]


def owner_of(data: Path) -> dict[str, str]:
    with open_farm(Settings(data=data), verifiers) as farm:
        add_account(farm, "ona", Role.OWNER, "")
        return {"Authorization": f"Bearer {add_key(farm, 'ona', 'watch').key}"}


def test_a_process_that_is_killed_is_replaced_and_nobody_is_turned_away(tmp_path):
    with served(tmp_path) as site:
        for victim in servers(site):
            victim.kill()
            assert {answer.status_code for answer in asked(site, "/healthz", 10)} == {200}
        until(lambda: begun(site) == 4)
        until(lambda: asked(site, "/readyz")[0].status_code == 200)  # the house is kept again
        assert site.end() == 0
    assert sum("died=-9" in line for line in site.log) == 2
    assert not [line for line in site.log if "Traceback" in line]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_all_processes_end_with_the_one_that_was_started(tmp_path, sign):
    with served(tmp_path) as site:
        port = int(site.url.rpartition(":")[2])
        those = psutil.Process(site.process.pid).children(recursive=True)
        assert site.end(sign) == (-9 if sign == signal.SIGKILL else 0)
        assert psutil.wait_procs(those, 30)[1] == []
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=10, trust_env=False)


def held_by(site: Server) -> list[int]:
    """Return how many connections each server holds."""
    return [sum(connection.status == psutil.CONN_ESTABLISHED for connection in server.net_connections("tcp"))
            for server in servers(site)]


@contextmanager
def lasting(url: str, count: int, context: ssl.SSLContext | None = None):
    """Open connections at once that last until the block ends, and ask over each; gives how long the answers took."""
    where = urlsplit(url)
    began_at = time.monotonic()
    with ExitStack() as stack:
        bare = [stack.enter_context(closing(socket.create_connection((where.hostname, where.port), 60)))
                for _ in range(count)]
        ready = [stack.enter_context(closing(context.wrap_socket(one))) for one in bare] if context else bare
        for one in ready:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: farm\r\n\r\n")
        assert {one.recv(65536)[:15] for one in ready} == {b"HTTP/1.1 200 OK"}
        yield time.monotonic() - began_at


def test_servers_share_what_comes_evenly(tmp_path):
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE

    def shared_evenly(url: str) -> bool:
        with lasting(url, 32, anyone if url.startswith("https") else None):
            fewest = min(held_by(site))
        until(lambda: held_by(site) == [0, 0])
        return fewest >= 12

    with served(tmp_path, "--tls-port", "0") as site:
        for url in site.urls.values():
            tries = [shared_evenly(url) for _ in range(6)]
            assert sum(tries) >= 4, tries  # a server that got no core for 50 ms leaves what came to the other
        assert site.end() == 0
    assert "Traceback" not in "".join(site.log), "".join(site.log)


def test_nobody_is_left_to_a_server_that_is_frozen(tmp_path):
    with served(tmp_path) as site:
        frozen, living = servers(site)
        frozen.suspend()
        try:
            with lasting(site.url, 20) as took_s:
                assert took_s < 10
                assert len(living.net_connections("tcp")) >= 20
        finally:
            frozen.resume()


@pytest.mark.skipif(sys.platform != "linux", reason="nobody else sets limits of a process at work")
def test_who_comes_while_a_server_has_no_more_files_waits_and_is_let_in(tmp_path):
    ask = b"GET /healthz HTTP/1.1\r\nHost: farm\r\nConnection: close\r\n\r\n"
    with served(tmp_path, "--tls-port", "0") as site:
        where = urlsplit(site.url)
        with ExitStack() as stack:
            limits = [server.rlimit(psutil.RLIMIT_NOFILE) for server in servers(site)]
            for server, (_, most) in zip(servers(site), limits, strict=True):
                server.rlimit(psutil.RLIMIT_NOFILE, (server.num_fds() + 4, most))
            crowd = [stack.enter_context(closing(socket.create_connection((where.hostname, where.port), 60)))
                     for _ in range(20)]
            until(lambda: sum("connections=waiting reason=Too many open files" in line for line in site.log) >= 2)
            for server, limit in zip(servers(site), limits, strict=True):
                server.rlimit(psutil.RLIMIT_NOFILE, limit)
            for one in crowd:
                one.sendall(ask)
            assert {one.recv(65536)[:15] for one in crowd} == {b"HTTP/1.1 200 OK"}


def test_a_bad_handshake_takes_no_place_and_none_that_never_ends_delays_the_end(tmp_path):
    with served(tmp_path, "--tls-port", "0") as site:
        where = urlsplit(site.urls["https"])
        with ExitStack() as stack:
            for _ in range(8):
                bad = stack.enter_context(closing(socket.create_connection((where.hostname, where.port))))
                bad.sendall(b"this is no handshake\r\n\r\n")
            until(lambda: held_by(site) == [0, 0])
        stack.enter_context(closing(socket.create_connection((where.hostname, where.port))))
        until(lambda: sum(held_by(site)) == 1)
        assert site.end() == 0
    log = "".join(site.log)
    assert "Traceback" not in log, log
    assert "timeout" not in log, log


def cores_of(server: psutil.Process) -> Iterator[set[int]]:
    """Give the cores that each thread of a server may run on, the main thread's first."""
    threads = [thread.id for thread in server.threads()]  # in the order of their names: "10000" comes before "9999"
    for thread in sorted(threads, key=lambda thread: thread != server.pid):
        with suppress(ProcessLookupError):  # it has just ended
            yield os.sched_getaffinity(thread)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one core for all")
def test_servers_share_out_the_cores_and_the_house_uses_all(tmp_path):
    every = os.sched_getaffinity(0)
    with served(tmp_path) as site:
        until(lambda: asked(site, "/readyz")[0].status_code == 200)
        first, second = (list(cores_of(server)) for server in servers(site))
    assert first[0] | second[0] == every
    assert not first[0] & second[0]
    assert first.count(every) > second.count(every)


def test_metrics_are_the_same_whichever_process_is_asked(tmp_path):
    owner = owner_of(tmp_path)
    with served(tmp_path) as site:
        asked(site, "/nothing", 20)
        told = [answer.text for answer in asked(site, "/metrics", 10, headers=owner)]
    counts = [{(sample.name, *sample.labels.values()): sample.value for family in text_string_to_metric_families(text)
               for sample in family.samples} for text in told]
    assert [count["sheepfold_request_seconds_count", "pages", "404"] for count in counts] == [20.0] * 10


def test_what_was_counted_outlives_a_server_that_is_killed_and_a_full_disk(tmp_path):
    data, small = tmp_path / "data", tmp_path / "small"
    data.mkdir()
    small.mkdir()
    owner = owner_of(data)
    with small_disk(small, "6m"), served(data, environment=CLEAN | {"TMPDIR": str(small)}) as site:
        asked(site, "/nothing", 10)
        with suppress(OSError), (small / "full").open("wb", buffering=0) as full:
            while True:
                full.write(bytes(4096))
        for victim in servers(site):
            victim.kill()
        until(lambda: begun(site) == 4)
        asked(site, "/nothing", 10)
        asked(site, "/api/v1/nothing", 10)
        told = [answer.text for answer in asked(site, "/metrics", 4, headers=owner)]
        assert site.end() == 0
    assert sum("died=" in line for line in site.log) == 2, site.log
    for text in told:
        assert 'sheepfold_request_seconds_count{protocol="pages",status="404"} 20.0' in text
        assert "sheepfold_open_tasks 0.0" in text


def test_folders_that_were_shared_by_the_dead_are_removed_and_those_of_the_living_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, young, other = (tmp_path / f"sheepfold-{name}" for name in ("shared-dead", "shared-young", "else"))
    for folder in (dead, young, other):
        folder.mkdir()
        (folder / "counter_0.db").write_bytes(b"counted")
    for folder in (dead, other):
        os.utime(folder, (0, 0))
    with supervisor._shared_folder():
        living = Path(os.environ[SHARED])
        os.utime(living, (0, 0))
        with supervisor._shared_folder():
            assert living.exists()
        os.environ[SHARED] = str(living)
    assert set(tmp_path.iterdir()) == {young, other}


def test_a_server_that_the_system_cannot_start_now_is_started_later(monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: now))
    seat = supervisor._Seat(1, partial(time.sleep, DEADLINE_S), lambda: None)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # and these are taken
    try:
        seat.keep()
        assert seat.process is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    seat.keep()
    assert seat.process is None  # not at once
    now += supervisor.FIRST_WAIT_S
    try:
        seat.keep()
        assert seat.process.is_alive()
    finally:
        seat.tell_end()
        seat.end()


def test_a_farm_that_cannot_be_opened_is_one_line_and_starts_no_process(tmp_path):
    environment = CLEAN | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    with pytest.raises(AssertionError, match="The database does not answer"):
        Server(tmp_path, "--processes", "2", environment=environment)


def test_a_process_that_cannot_open_the_farm_any_more_says_so_in_one_line(tmp_path):
    share = ("import logging, sys, pathlib; from sheepfold.app import Place; from sheepfold.cli import serve;"
             "serve._serve_share(pathlib.Path(sys.argv[1]), [], Place(0, 2), logging.INFO, serve.LogForm.PLAIN,"
             " with_house=False)")
    environment = CLEAN | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    ended = subprocess.run([sys.executable, "-c", share, tmp_path], env=environment, capture_output=True, text=True,
                           timeout=DEADLINE_S, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert " ERROR not_serving=The database does not answer: " in line
