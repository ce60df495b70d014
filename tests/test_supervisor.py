"""A farm served by several processes: one dies and nobody notices, and together they count as one."""

import resource
import signal
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.serving import CLEAN, Server

from sheepfold import supervisor
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
        yield site
    finally:
        site.end(signal.SIGKILL)


def begun(site: Server) -> int:
    return sum("Started server process" in line for line in site.log)


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
    """Ask, each time over a connection of its own, so that all processes are asked."""
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


def test_metrics_are_the_same_whichever_process_is_asked(tmp_path):
    owner = owner_of(tmp_path)
    with served(tmp_path) as site:
        asked(site, "/nothing", 20)
        told = [answer.text for answer in asked(site, "/metrics", 10, headers=owner)]
    counts = [{(sample.name, *sample.labels.values()): sample.value for family in text_string_to_metric_families(text)
               for sample in family.samples} for text in told]
    assert [count["sheepfold_request_seconds_count", "pages", "404"] for count in counts] == [20.0] * 10


def test_a_server_that_the_system_cannot_start_now_is_started_later(monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: now))
    seat = supervisor._Seat(1, partial(time.sleep, DEADLINE_S))
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
