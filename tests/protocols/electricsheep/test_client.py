"""Our Electric Sheep client against a small farm on a real socket, which speaks with the server's half of the codec."""

import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sheepfold.model.errors import Overloaded
from sheepfold.model.matching import Abilities
from sheepfold.protocols.electricsheep import wire
from sheepfold.protocols.electricsheep.client import Clock, ElectricSheepLink
from sheepfold.protocols.electricsheep.credentials import Credentials, decode_basic, own_password_hash
from sheepfold.protocols.electricsheep.envelope import packed
from sheepfold.protocols.link import FarmRefused, FarmUnreachable, Figures, Receipt, Work

FLAMES = b'<flame time="2"/>\n<flame time="3"/>\n<flame time="4"/>'
ORDER = wire.FrameOrder(244, 5, 3, FLAMES, {"bits": "33", "format": "jpg", "jpeg": "85", "isaac_seed": "244.5.3"}, 3, 3)
SEEN = Abilities(kinds=frozenset({"flame"}))
FILM = b"RIFF" + bytes(300_000)
EXAMPLE_LOOP = Path(__file__).parents[2] / "traffic" / "genomes" / "get_reply_example_loop.xml"


@dataclass
class Farm:
    """What the small farm answers, and what it was asked; answers of a path are given in turn, the last for ever."""

    url: str = ""
    answers: dict[str, list[tuple[int, bytes, dict[str, str]]]] = field(default_factory=dict)
    asked: list[tuple[str, str, str, bytes, dict[str, str]]] = field(default_factory=list)

    def answer(self, path, *bodies, status=200, **headers):
        """Set the answers of a path."""
        self.answers[path] = [(status, body, {k.replace("_", "-"): v for k, v in headers.items()}) for body in bodies]

    def queries(self, path):
        """Return the queries that came for a path."""
        return [query for _, asked_path, query, _, _ in self.asked if asked_path == path]

    def headers(self, path):
        """Return the headers of the last request for a path."""
        return [headers for _, asked_path, _, _, headers in self.asked if asked_path == path][-1]


def handler_of(farm):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            farm.asked.append((self.command, path, query, body, dict(self.headers)))
            answers = farm.answers.get(path, [(404, b"", {})])
            status, answer, headers = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(answer))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_PUT = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_):
            """Keep quiet."""

    return Handler


class QuietServer(ThreadingHTTPServer):
    """A server that says nothing of clients that hang up, as ours does on bodies that grow too large."""

    def handle_error(self, *_):
        """Keep quiet."""


@contextmanager
def served(tls=None):
    """Serve a farm that knows everyone, over TLS where a context is given."""
    farm = Farm()
    server = QuietServer(("127.0.0.1", 0), handler_of(farm))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    farm.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    farm.answer("/query.php", wire.encode_redirect_answer(wire.RedirectAnswer(farm.url, role=wire.Role.REGISTERED)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield farm
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def farm():
    with served() as farm:
        yield farm


@dataclass
class FakeTime:
    """A clock that stands still unless someone waits or turns it."""

    at: float = 1_700_000_000.0
    waits: list[float] = field(default_factory=list)

    def now(self):
        return self.at

    def pause(self, seconds):
        self.waits.append(seconds)
        self.at += seconds


@pytest.fixture
def clock():
    return FakeTime()


@pytest.fixture
def line(farm, tmp_path, clock):
    """Return a function that opens a line of one installation, as one start of the program does."""
    links = []

    def make(nick="spot user", key="secret", state="state"):
        links.append(ElectricSheepLink(farm.url, nick, key, tmp_path / state, "sheepfold/0.1 (test)",
                                       Clock(clock.now, clock.pause)))
        return links[-1]

    yield make
    for link in links:
        link.close()


@pytest.fixture
def work(farm, line):
    """Return a link with the work that it claimed."""
    farm.answer("/cgi/get", wire.encode_get_answer(ORDER))
    link = line()
    return link, link.claim(SEEN)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "00003.jpg"
    path.write_bytes(b"\xff\xd8\xff" + bytes(range(256)) * 500)
    return path


# --- who we are


def test_uid_is_made_once_for_an_installation(line):
    first, again, other = line(), line(), line(state="another")
    assert first.uid == again.uid != other.uid
    assert re.fullmatch(r"[0-9A-F]{16}", first.uid)


def test_spoilt_uid_is_replaced(line, tmp_path):
    first = line().uid
    (tmp_path / "state" / "uid").write_bytes(b"\xff\xfe../../x")
    assert re.fullmatch(r"[0-9A-F]{16}", line().uid)
    assert line().uid != first


def test_redirect_request_tells_nick_hash_version_and_uid(farm, line):
    link = line()
    link.open(SEEN)
    request = wire.decode_redirect_request(farm.queries("/query.php")[0])
    assert (request.nick, request.password_hash) == ("spot user", own_password_hash("secret", "spot user"))
    assert request.version.endswith("_sheepfold-0.1")
    assert request.uid == link.uid
    headers = farm.headers("/query.php")
    assert decode_basic(headers["Authorization"]) == Credentials("spot user", own_password_hash("secret", "spot user"))
    assert headers["User-Agent"] == "sheepfold/0.1 (test)"


def test_anonymous_machine_sends_no_credentials(farm, line):
    line(nick="", key="").open(SEEN)
    assert farm.queries("/query.php")[0].startswith("q=redir&u=&p=D41D8CD98F00B204E9800998ECF8427E&v=")
    assert "Authorization" not in farm.headers("/query.php")


def test_redirection_is_remembered_for_a_day_across_starts(farm, line, clock):
    line().open(SEEN)
    clock.at += 86_399
    line().open(SEEN)
    assert len(farm.queries("/query.php")) == 1
    clock.at += 1
    line().open(SEEN)
    assert len(farm.queries("/query.php")) == 2


def test_redirection_from_the_future_is_not_trusted(farm, line, clock):
    line().open(SEEN)
    clock.at -= 1
    line().open(SEEN)
    assert len(farm.queries("/query.php")) == 2


def test_redirection_of_another_nick_is_not_taken(farm, line):
    line().open(SEEN)
    line(nick="other").open(SEEN)
    assert len(farm.queries("/query.php")) == 2


@pytest.mark.parametrize("spoilt", [b"", b"{", b"[]", b"null", b'{"server": 1}', b"\xff"])
def test_spoilt_memory_of_the_redirection_is_asked_anew(farm, line, tmp_path, spoilt):
    line().open(SEEN)
    (tmp_path / "state" / "redirect.json").write_bytes(spoilt)
    line().open(SEEN)
    assert len(farm.queries("/query.php")) == 2


def test_memory_cannot_send_us_to_a_host_that_is_no_url(farm, line, tmp_path):
    line().open(SEEN)
    path = tmp_path / "state" / "redirect.json"
    note = json.loads(path.read_text())
    note["answer"]["host"] = "file:///etc/"
    path.write_text(json.dumps(note))
    line().open(SEEN)
    assert len(farm.queries("/query.php")) == 2


def test_wrong_password_is_refused_and_not_remembered(farm, line):
    farm.answer("/query.php", wire.encode_redirect_answer(wire.RedirectAnswer(farm.url, role=wire.Role.ERROR)))
    for _ in range(2):
        with pytest.raises(FarmRefused, match="spot user"):
            line().open(SEEN)
    assert len(farm.queries("/query.php")) == 2


def test_player_with_a_wrong_password_still_sees_the_flock(farm, line):
    farm.answer("/query.php", wire.encode_redirect_answer(wire.RedirectAnswer(farm.url, role=wire.Role.ERROR)))
    farm.answer("/cgi/list", wire.encode_flock(wire.Flock(244, 800, 592)))
    assert line().fetch_list().generation == 244


def test_hosts_of_a_redirection_have_their_own_duties(farm, line, picture):
    farm.answer("/query.php", wire.encode_redirect_answer(
        wire.RedirectAnswer(f"{farm.url}/h", f"{farm.url}/v", f"{farm.url}/r", wire.Role.GOLD)))
    farm.answer("/r/cgi/get", wire.encode_get_answer(ORDER))
    farm.answer("/h/cgi/put", wire.PUT_ACCEPTED)
    farm.answer("/h/cgi/list", wire.encode_flock(wire.Flock(244, 800, 592)))
    farm.answer("/v/cgi/vote.cgi", b"")
    link = line()
    assert link.submit(link.claim(SEEN), picture, Figures()) is Receipt.ACCEPTED
    link.fetch_list()
    link.vote(1, 1)


# --- work


def test_claim_reads_an_order(work, farm):
    link, claimed = work
    assert claimed == Work("244-5-3", "flame", {"format": "jpg", "jpeg_quality": 85, "bits": 33, "seed": "244.5.3"},
                           3, 0, 3600, {}, order="244-5")
    request = wire.decode_get_request(farm.queries("/cgi/get")[0])
    assert (request.nick, request.uid) == ("spot user", link.uid)


def test_genome_is_written_as_a_document(work, tmp_path):
    link, claimed = work
    target = tmp_path / "genome.xml"
    assert link.fetch_task_input(claimed, target)
    assert target.read_bytes() == wire.rooted_genome(FLAMES)


def test_genome_of_a_forgotten_order_is_refused(work, tmp_path):
    link, claimed = work
    link.give_up(claimed, "the computer is busy", None, failed=False)
    with pytest.raises(FarmRefused):
        link.fetch_task_input(claimed, tmp_path / "genome.xml")


def test_genome_is_forgotten_when_its_picture_was_sent(work, farm, picture, tmp_path):
    link, claimed = work
    farm.answer("/cgi/put", wire.PUT_ACCEPTED)
    link.submit(claimed, picture, Figures())
    with pytest.raises(FarmRefused):
        link.fetch_task_input(claimed, tmp_path / "genome.xml")


def test_order_has_no_other_files(work, tmp_path):
    link, claimed = work
    with pytest.raises(FarmRefused):
        link.fetch_input(claimed, "texture.png", tmp_path / "x")


def test_frame_is_always_wanted(work):
    link, claimed = work
    assert link.heartbeat(claimed, 10)


def test_order_in_the_form_of_the_seed_renders_its_frame_as_png(farm, line):
    farm.answer("/cgi/get", packed(b'<get gen="12" id="1" type="0" prog="flame" job="3" frame="7">\n'
                                   b'<args bits="33" jpeg="100" out="/etc/x"/>\n' + FLAMES + b"</get>"))
    claimed = line().claim(SEEN)
    assert (claimed.handle, claimed.frame) == ("12-1-7", 7)
    assert claimed.spec == {"format": "png", "jpeg_quality": 100, "bits": 33, "seed": ""}


@pytest.mark.parametrize("label", ["gzip", "deflate"])
def test_body_is_read_whatever_its_content_encoding_says(farm, line, label):
    farm.answer("/cgi/get", wire.encode_get_answer(ORDER), Content_Encoding=label)
    assert line().claim(SEEN).frame == 3
    assert farm.headers("/cgi/get")["Accept-Encoding"] == "identity"


def test_no_work_is_none(farm, line):
    farm.answer("/cgi/get", wire.encode_get_answer(wire.NoWork(244, 60, "no work")))
    assert line().claim(SEEN) is None


def test_machine_without_flames_does_not_ask(farm, line):
    assert line().claim(Abilities(kinds=frozenset({"blender"}))) is None
    assert farm.asked == []


def test_busy_farm_is_unreachable_for_as_long_as_it_says(farm, line):
    refusal = wire.answer_for(Overloaded(), wire.RequestKind.GET)
    farm.answer("/cgi/get", refusal.body, status=refusal.status, Retry_After=str(refusal.retry_after_s))
    with pytest.raises(FarmUnreachable) as caught:
        line().claim(SEEN)
    assert caught.value.retry_after_s == 60


@pytest.mark.parametrize("status", [401, 403, 404])
def test_unwelcome_machine_is_refused(farm, line, status):
    farm.answer("/cgi/get", b"", status=status)
    with pytest.raises(FarmRefused):
        line().claim(SEEN)


@pytest.mark.parametrize("body", [
    b"<html>sign in to the hotel</html>", b"", b"\x1f\x8b\x08\x00", b"<error/>", bytes(17 * 2**20),
    packed(b"<get>" + b" " * 20_000_000 + b"</get>"), b'<get gen="1" id="1" job="NaN"><args/><flame/></get>'])
def test_nonsense_is_as_good_as_no_answer(farm, line, body):
    farm.answer("/cgi/get", body)
    with pytest.raises(FarmUnreachable):
        line().claim(SEEN)


def test_farm_that_is_away_is_unreachable_and_its_redirection_forgotten(farm, line, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        away = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    farm.answer("/query.php", wire.encode_redirect_answer(wire.RedirectAnswer(away)))
    link = line()
    link.open(SEEN)
    with pytest.raises(FarmUnreachable):
        link.claim(SEEN)
    link.open(SEEN)
    assert len(farm.queries("/query.php")) == 2


def test_server_url_that_is_none_is_unreachable(tmp_path):
    link = ElectricSheepLink("http://[nowhere", "", "", tmp_path, "sheepfold/0.1")
    with link, pytest.raises(FarmUnreachable):
        link.open(SEEN)


# --- results


@pytest.mark.parametrize("status", [200, 201, 204])
def test_every_success_is_an_accepted_picture(work, farm, picture, status):
    link, claimed = work
    farm.answer("/cgi/put", b"" if status == 204 else b"ok", status=status)
    assert link.submit(claimed, picture, Figures()) is Receipt.ACCEPTED
    method, _, query, body, headers = farm.asked[-1]
    assert method == "PUT"
    assert body == picture.read_bytes()
    assert headers["Content-Length"] == str(len(body))
    assert "Transfer-Encoding" not in headers
    request = wire.decode_put_request(query)
    assert (request.job, request.sheep, request.generation, request.size_bytes) == (3, 5, 244, len(body))
    assert request.uid == link.uid


def test_picture_can_be_sent_after_a_restart(work, farm, line, picture):
    _, claimed = work
    farm.answer("/cgi/put", wire.PUT_ACCEPTED)
    assert line().submit(claimed, picture, Figures()) is Receipt.ACCEPTED


def test_upload_is_tried_three_times_with_growing_pauses(work, farm, picture, clock):
    link, claimed = work
    farm.answers["/cgi/put"] = [(503, b"", {}), (500, b"", {"Retry-After": "30"}), (200, b"", {})]
    assert link.submit(claimed, picture, Figures()) is Receipt.ACCEPTED
    assert len(farm.queries("/cgi/put")) == 3
    assert 2 <= clock.waits[0] <= 4
    assert clock.waits[1] == 30


def test_upload_gives_up_after_three_tries_and_can_be_repeated(work, farm, picture, clock):
    link, claimed = work
    farm.answer("/cgi/put", b"", status=503)
    with pytest.raises(FarmUnreachable):
        link.submit(claimed, picture, Figures())
    assert len(farm.queries("/cgi/put")) == 3
    farm.answer("/cgi/put", wire.PUT_ACCEPTED)
    assert link.submit(claimed, picture, Figures()) is Receipt.ACCEPTED


@pytest.mark.parametrize(("status", "receipt"), [
    (400, Receipt.REFUSED), (413, Receipt.REFUSED), (404, Receipt.UNWANTED), (409, Receipt.UNWANTED)])
def test_refused_picture_is_not_sent_again(work, farm, picture, clock, status, receipt):
    link, claimed = work
    farm.answer("/cgi/put", b"", status=status)
    assert link.submit(claimed, picture, Figures()) is receipt
    assert len(farm.queries("/cgi/put")) == 1
    assert clock.waits == []


def test_upload_with_a_wrong_key_is_refused(work, farm, picture):
    link, claimed = work
    farm.answer("/cgi/put", b"", status=403)
    with pytest.raises(FarmRefused):
        link.submit(claimed, picture, Figures())


# --- the player


def listed(farm, **changed):
    return wire.ListedSheep(**{"id": 103, "first": 101, "last": 102, "size_bytes": len(FILM),
                               "url": f"{farm.url}/gen/sheep.avi", "generation": 244} | changed)


def test_player_fetches_what_was_listed(farm, line, tmp_path):
    farm.answer("/cgi/list", wire.encode_flock(wire.Flock(244, 800, 592, (listed(farm),), 60, "moo")))
    farm.answer("/gen/sheep.avi", FILM)
    link = line()
    flock = link.fetch_list()
    assert flock == wire.Flock(244, 800, 592, (listed(farm),), 60, "moo")
    path = link.download_sheep(flock.sheep[0], tmp_path)
    assert path == tmp_path / "00244=00103=00101=00102.avi"
    assert path.read_bytes() == FILM


def test_films_are_fetched_without_credentials(farm, line, tmp_path):
    farm.answer("/gen/sheep.avi", FILM)
    line().download_sheep(listed(farm), tmp_path)
    assert "Authorization" not in farm.headers("/gen/sheep.avi")


def test_film_that_is_there_is_not_fetched_again(farm, line, tmp_path):
    farm.answer("/gen/sheep.avi", FILM)
    link = line()
    for _ in range(2):
        link.download_sheep(listed(farm), tmp_path)
    assert len(farm.queries("/gen/sheep.avi")) == 1


@pytest.mark.parametrize("body", [FILM[:-1], FILM + b"x", b""])
def test_film_of_another_size_is_thrown_away(farm, line, tmp_path, body):
    farm.answer("/gen/sheep.avi", body)
    with pytest.raises(FarmUnreachable, match="300004 bytes"):
        line().download_sheep(listed(farm), tmp_path)
    assert not list(tmp_path.glob("*avi*"))


def test_film_that_breaks_off_is_thrown_away(farm, line, tmp_path):
    farm.answer("/gen/sheep.avi", FILM[:1000], Content_Length=str(len(FILM)), Connection="close")
    with pytest.raises(FarmUnreachable):
        line().download_sheep(listed(farm), tmp_path)
    assert not list(tmp_path.glob("*avi*"))


def test_film_that_is_gone_says_nothing_of_the_farm(farm, line, tmp_path):
    with pytest.raises(FarmUnreachable, match="404"):
        line().download_sheep(listed(farm, url=f"{farm.url}/gone"), tmp_path)


@pytest.mark.parametrize("value", [1, -1])
def test_vote_is_cast(farm, line, value):
    farm.answer("/cgi/vote.cgi", b"", status=302, Location="http://127.0.0.1:9/status")
    link = line()
    link.vote(103, value)
    assert wire.decode_vote_request(farm.queries("/cgi/vote.cgi")[0]) == wire.VoteRequest(103, value, link.uid)


def test_vote_that_the_farm_cannot_take_is_told(farm, line):
    farm.answer("/cgi/vote.cgi", b"", status=503)
    with pytest.raises(FarmUnreachable):
        line().vote(103, 1)


# --- the way there


@pytest.fixture
def certificate(tmp_path):
    """Make a certificate that nobody signed, and its key in the same file."""
    path = tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", tmp_path / "key.pem", "-out", path], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (tmp_path / "key.pem").read_bytes())
    return path


@pytest.mark.parametrize("is_trusted", [False, True])
def test_certificate_must_be_one_that_the_machine_trusts(tmp_path, certificate, monkeypatch, is_trusted):
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with served(tls) as farm, ElectricSheepLink(farm.url, "spot", "secret", tmp_path / "s", "sheepfold/0.1") as link:
        if is_trusted:
            link.open(SEEN)
        else:
            with pytest.raises(FarmUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
                link.open(SEEN)
        assert bool(farm.asked) is is_trusted


def test_proxy_of_the_environment_is_used(farm, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", farm.url)
    farm.answers["http://farm.invalid/query.php"] = farm.answers["/query.php"]
    with ElectricSheepLink("http://farm.invalid", "", "", tmp_path, "sheepfold/0.1") as link:
        link.open(SEEN)
    assert len(farm.queries("http://farm.invalid/query.php")) == 1


@pytest.mark.skipif(shutil.which("flam3-animate") is None, reason="flam3 is not installed")
def test_flam3_renders_the_genome_that_came_with_an_order(farm, line, tmp_path):
    farm.answer("/cgi/get", packed(EXAMPLE_LOOP.read_bytes()))
    link = line()
    claimed = link.claim(SEEN)
    link.fetch_task_input(claimed, tmp_path / "genome.xml")
    arguments = {"in": str(tmp_path / "genome.xml"), "out": str(tmp_path / "frame.png"), "time": str(claimed.frame)}
    subprocess.run([shutil.which("flam3-animate")], env=arguments | {"qs": "0.1", "nthreads": "1", "verbose": "0"},
                   check=True, capture_output=True)
    assert (tmp_path / "frame.png").read_bytes().startswith(b"\x89PNG")
