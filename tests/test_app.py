"""The composition: one application on two ports, and a server that ends when it is told to."""

import resource
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from starlette.testclient import TestClient
from tests.serving import Server

from sheepfold.app import make_app
from sheepfold.certificate import ensure_certificate
from sheepfold.config import Settings
from sheepfold.farm.farm import open_farm
from sheepfold.protocols import registry
from sheepfold.protocols.electricsheep import wire

UID = "A5BD1F1A9DAB2B36"


@contextmanager
def served(data: Path, *words: str) -> Iterator[Server]:
    """Serve a farm as a process until the block ends."""
    made = Server(data, *words)
    try:
        yield made
    finally:
        made.end(signal.SIGKILL)


def client(**more) -> httpx.Client:
    return httpx.Client(timeout=30, trust_env=False, **more)


def test_every_protocol_and_the_pages_answer_at_one_root(tmp_path):
    with open_farm(Settings(data=tmp_path), registry.verifiers) as farm, TestClient(make_app(farm)) as http:
        assert http.get("/").headers["content-type"].startswith("text/html")
        assert wire.decode_redirect_answer(http.get("/query.php?q=redir&u=&p=").content).host
        assert http.get("/api/v1/whoami").status_code == 401
        assert http.get("/nothing").status_code == 404
        assert http.get("/cgi/list/", follow_redirects=False).status_code == 404


def test_the_tls_port_serves_the_same_application_and_names_itself(tmp_path):
    with served(tmp_path / "farm", "--tls-port", "0") as site:
        trust = ssl.create_default_context(cafile=tmp_path / "farm" / "tls" / "cert.pem")
        for scheme, url in site.urls.items():
            with client(verify=trust, base_url=url) as http:
                home = wire.decode_redirect_answer(http.get(f"/query.php?q=redir&u=&p=&v=&i={UID}").content)
                assert home.host == f"{url}/"
                assert home.host.startswith(f"{scheme}://")
                assert http.get("/").status_code == 200
                assert wire.decode_flock(http.get(f"/cgi/list?u={UID}").content).sheep == ()


def test_the_key_of_the_certificate_is_private_and_both_are_kept(tmp_path):
    cert, key = ensure_certificate(tmp_path, "127.0.0.1", 1_800_000_000)
    assert key.stat().st_mode & 0o077 == 0
    before = cert.read_bytes(), key.read_bytes()
    assert ensure_certificate(tmp_path, "127.0.0.1", 1_900_000_000) == (cert, key)
    assert (cert.read_bytes(), key.read_bytes()) == before


@contextmanager
def files_up_to(size_bytes):
    """Let no file that is written within the block be larger, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("lost", [(), ("key.pem",), ("key.pem", "cert.pem")])
@pytest.mark.parametrize("room_bytes", [0, 300])  # for neither, for the key
def test_a_certificate_that_could_not_be_written_is_made_anew_and_fits_its_key(tmp_path, lost, room_bytes):
    names = ensure_certificate(tmp_path, "127.0.0.1", 1_800_000_000)
    for name in lost:
        (tmp_path / name).unlink()
    if not lost:
        names[0].write_bytes(b"")  # as a power cut left it
    with files_up_to(room_bytes), pytest.raises(OSError, match="too large"):
        ensure_certificate(tmp_path, "127.0.0.1", 1_800_000_000)
    assert ensure_certificate(tmp_path, "127.0.0.1", 1_800_000_000) == names
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cert.pem", "key.pem"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "farm.example", "x" * 80 + ".example"])
def test_a_certificate_names_its_host_and_is_one_that_tls_can_use(tmp_path, host):
    cert, key = ensure_certificate(tmp_path, host, 1_800_000_000)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    names = x509.load_pem_x509_certificate(cert.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value
    assert host in [str(name.value) for name in names]


def test_both_ports_end_on_sigterm_while_a_page_listens_for_events(tmp_path):
    with served(tmp_path, "--tls-port", "0") as site, client(verify=False) as http:
        with http.stream("GET", f"{site.urls['http']}/events") as stream:
            assert stream.status_code == 200
            site.process.send_signal(signal.SIGTERM)
            assert site.process.wait(60) == 0
        for url in site.urls.values():
            port = int(url.rpartition(":")[2])
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 5)
    assert not [line for line in site.log if "Traceback" in line]


def test_an_idle_server_ends_on_sigint(tmp_path):
    with served(tmp_path) as site:
        site.process.send_signal(signal.SIGINT)
        assert site.process.wait(60) == 0


def test_a_port_that_is_taken_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "sheepfold", "serve", "--data", str(tmp_path), "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert port in ended.stderr.splitlines()[-1]
