"""Which pages may be photographed."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sheepfold.farm import sites
from sheepfold.farm.sites import Rules, check_site, domain_of
from sheepfold.model.errors import Forbidden, InvalidSpec

LOOPBACK = ("127.0.0.0/8", "::1")
QUIET = Rules(obey_robots=False)


def at(*addresses: str) -> Callable[[str, int], list[str]]:
    """Be a name service that knows one answer."""
    return lambda host, port: list(addresses)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "fe80::1%eth0",
        "fec0::1", "64:ff9b:1::101:101",
    ],
)  # fmt: skip
def test_a_name_that_leads_to_no_public_address_is_refused(address: str) -> None:
    with pytest.raises(Forbidden, match="no public address"):
        check_site(QUIET, "http://shop.example/", at(address))


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(Forbidden):
        check_site(QUIET, "http://shop.example/", at("93.184.216.34", "10.0.0.1"))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_public_addresses_are_welcome(address: str) -> None:
    assert check_site(QUIET, "HTTP://Shop.example", at(address)) == "http://shop.example/"


def test_the_owner_may_allow_a_private_range() -> None:
    rules = Rules(("127.0.0.0/8",), obey_robots=False)
    assert check_site(rules, "http://127.0.0.1:8000/") == "http://127.0.0.1:8000/"
    assert check_site(rules, "http://[::ffff:127.0.0.1]/")
    with pytest.raises(Forbidden):
        check_site(rules, "http://10.0.0.1/")


@pytest.mark.parametrize("literal", ["http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/"])
def test_an_address_in_disguise_is_seen_through(literal: str) -> None:
    with pytest.raises((Forbidden, InvalidSpec)):
        check_site(QUIET, literal)


def test_a_name_without_an_address_is_refused() -> None:
    def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(InvalidSpec, match=r"There is no host 'nowhere\.example'"):
        check_site(QUIET, "http://nowhere.example/", nowhere)


def test_a_name_that_changes_its_mind_is_refused_the_second_time() -> None:
    answers = iter((["93.184.216.34"], ["127.0.0.1"]))
    assert check_site(QUIET, "http://rebind.example/", lambda *_: next(answers))
    with pytest.raises(Forbidden):
        check_site(QUIET, "http://rebind.example/", lambda *_: next(answers))


@pytest.mark.parametrize("host", ["bad.example", "www.bad.example", "BAD.example.", "xn--bse-sna.example"])
def test_a_blocked_domain_is_blocked_with_all_below_it(host: str) -> None:
    rules = Rules(blocked_domains=("bad.example", "xn--bse-sna.example"), obey_robots=False)
    with pytest.raises(Forbidden, match="blocked"):
        check_site(rules, f"http://{host}/", at("93.184.216.34"))
    assert check_site(rules, "http://notbad.example/", at("93.184.216.34"))


def test_the_same_domain_counts_with_and_without_www() -> None:
    assert domain_of("https://www.shop.example/a") == domain_of("http://shop.example:8080/b") == "shop.example"


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing known of what sites allow, so that each is asked anew, with patience."""
    monkeypatch.setattr(sites, "_robots", sites._Robots())
    for name in ("ROBOTS_S", "CALL_S"):
        monkeypatch.setattr(sites, name, 60.0)


@pytest.fixture
def serve(forgetful: None) -> Iterator[Callable[..., str]]:
    """Serve one answer to everything on loopback; returns the address."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, body: bytes, **headers: str) -> str:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


OBEDIENT = Rules(LOOPBACK)


def test_a_robots_txt_is_obeyed(serve: Callable[..., str]) -> None:
    site = serve(200, b"User-agent: Browsershots\nDisallow: /private/\n\nUser-agent: *\nDisallow: /cgi/\n")
    assert check_site(OBEDIENT, f"{site}/public")
    for path in ("/private/x", "/cgi/y"):
        with pytest.raises(Forbidden, match=r"robots\.txt"):
            check_site(OBEDIENT, site + path)
    assert check_site(Rules(LOOPBACK, obey_robots=False), f"{site}/private/x")


@pytest.mark.parametrize(("status", "is_welcome"), [(404, True), (410, True), (403, False), (503, False)])
def test_a_robots_txt_must_be_readable_or_absent(serve: Callable[..., str], status: int, *, is_welcome: bool) -> None:
    site = serve(status, b"User-agent: *\nDisallow: /\n")
    if is_welcome:
        assert check_site(OBEDIENT, f"{site}/")
    else:
        with pytest.raises(Forbidden, match=f"answers with {status}"):
            check_site(OBEDIENT, f"{site}/")


def test_a_robots_txt_that_leads_elsewhere_leads_to_no_private_address(serve: Callable[..., str]) -> None:
    site = serve(302, b"", Location="http://10.0.0.1/robots.txt")
    with pytest.raises(Forbidden, match=r"10\.0\.0\.1"):
        check_site(OBEDIENT, f"{site}/")


def test_a_robots_txt_that_leads_in_circles_counts_as_absent(serve: Callable[..., str]) -> None:
    site = serve(302, b"", Location="/robots.txt")
    assert check_site(OBEDIENT, f"{site}/")


def test_a_large_robots_txt_is_read_as_far_as_it_must(serve: Callable[..., str]) -> None:
    site = serve(200, b"User-agent: *\nDisallow: /x\n" + b"# filler\n" * 200_000)
    with pytest.raises(Forbidden):
        check_site(OBEDIENT, f"{site}/x")


LONG = b"User-agent: *\n" + (b"Disallow: /" + b"x" * 1000 + b"\n") * 500


def test_of_many_long_robots_txt_the_newest_are_remembered_within_a_bound(serve: Callable[..., str]) -> None:
    port = serve(200, LONG).rpartition(":")[2]
    names = [f"http://s{number}.example:{port}" for number in range(20)]
    for name in names:
        check_site(OBEDIENT, f"{name}/", at("127.0.0.1"))
    kept = sites._robots._known
    assert [origin for origin, _ in kept] == names[-len(kept):]
    said = sum(len(str(known.rules)) for known in kept.values())
    assert sites.REMEMBERED_BYTES - len(LONG) < said <= sites.REMEMBERED_BYTES


def test_a_robots_txt_that_is_read_anew_takes_the_place_of_the_old(
    serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sites, "REMEMBERED_S", -1)
    brief, long = serve(200, b"User-agent: *\nDisallow: /x\n"), serve(200, LONG)
    check_site(OBEDIENT, f"{brief}/")
    for _ in range(20):
        check_site(OBEDIENT, f"{long}/")
    assert [origin for origin, _ in sites._robots._known] == [brief, long]


@pytest.mark.usefixtures("forgetful")
def test_a_site_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "ROBOTS_S", 0.5)
    ended = threading.Event()

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                while not ended.wait(0.05):
                    self.request.send(b"H")
            except OSError:
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(Forbidden, match="does not answer"):
            check_site(OBEDIENT, f"http://127.0.0.1:{server.server_address[1]}/")
        ended.set()
        server.shutdown()
