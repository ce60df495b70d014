"""The Electric Sheep codec: round-trip laws, what real clients sent, and what nobody should send."""

import gzip
import inspect
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sheepfold.model import errors
from sheepfold.model.errors import MalformedMessage, MissingParameter, TooLarge
from sheepfold.protocols.electricsheep import wire
from sheepfold.protocols.electricsheep.credentials import (
    ANONYMOUS_HASH,
    Credentials,
    decode_basic,
    encode_basic,
    key_verifiers,
    own_password_hash,
    password_verifiers,
)
from sheepfold.protocols.electricsheep.envelope import packed, unpacked

TRAFFIC = Path(__file__).parents[2] / "traffic"
RECORDED = TRAFFIC / "electricsheep"
EXAMPLE_LOOP = (TRAFFIC / "genomes" / "get_reply_example_loop.xml").read_bytes()
UID = "A5BD1F1A9DAB2B36"
HASH = "0123456789ABCDEF0123456789ABCDEF"
FLAME = b'<flame time="2"><xform weight="1"/></flame>'

nicks = st.text(max_size=40).map(lambda text: "".join(char for char in text if char.isprintable()))
versions = st.from_regex(r"[A-Za-z0-9_.-]{0,40}", fullmatch=True)
uids = st.from_regex(r"[0-9A-F]{1,32}", fullmatch=True)
hashes = st.from_regex(r"[0-9A-F]{32}", fullmatch=True)
numbers = st.integers(0, 2**31 - 1)
sheep_ids = st.integers(0, wire.MAX_SHEEP)
frames = st.integers(0, wire.MAX_FRAME)
words = nicks.map(str.strip)
bases = st.from_regex(r"https?://[a-z0-9.]{1,20}(:[1-9][0-9]{0,3})?/([a-z]{1,5}/){0,2}", fullmatch=True)
urls = st.builds(lambda base, path: base + path, bases, st.from_regex(r"[!-~]{0,20}", fullmatch=True))
arguments = st.fixed_dictionaries({}, optional={
    "bits": st.sampled_from(["16", "32", "33", "64"]), "format": st.sampled_from(["png", "jpg"]),
    "jpeg": st.integers(1, 100).map(str), "frame": frames.map(str), "time": frames.map(str),
    "isaac_seed": st.from_regex(r"[A-Za-z0-9_.:-]{1,128}", fullmatch=True)})


@st.composite
def genomes(draw):
    """Flames as lxml prints them, the form in which a codec hands them on."""
    flames = []
    for text in draw(st.lists(nicks, min_size=1, max_size=3)):
        flame = etree.Element("flame", nick=text)
        etree.SubElement(flame, "xform").text = text or None
        flames.append(etree.tostring(flame))
    return b"\n".join(flames)


listed_sheep = st.builds(
    wire.ListedSheep, id=sheep_ids, first=sheep_ids, last=sheep_ids, size_bytes=numbers, url=urls, time=numbers,
    rating=st.integers(-1000, 1000), state=st.sampled_from(["done", "expunge", "render"]), type=st.integers(0, 2))
flocks = st.builds(
    wire.Flock, st.integers(1, wire.MAX_SHEEP), st.integers(1, 9999), st.integers(1, 9999),
    st.lists(listed_sheep, max_size=4).map(tuple), st.integers(0, 9999), words, words)
orders = st.builds(
    wire.FrameOrder, sheep_ids, sheep_ids, numbers, genomes(), arguments, st.none() | frames, st.none() | frames)
no_works = st.builds(wire.NoWork, sheep_ids, st.none() | numbers, words, words)


def recorded(scenario, name):
    """Return a recorded request: method, path, query and Basic header."""
    text = (RECORDED / scenario / name).read_text("ascii")
    method, target = re.search(r"=== REQUEST\n([A-Z]+) (\S+) HTTP/1\.1", text).groups()
    path, _, query = target.partition("?")
    basic = re.search(r"Authorization: (\S+ \S+)\\r", text)
    return method, path.lstrip("/"), query, basic and basic[1]


def recorded_answer(scenario, name):
    """Return the part of a recorded answer's body that was kept."""
    text = (RECORDED / scenario / name).read_text("utf-8")
    return re.search(r"^(<(?:query|list|get).*)", text, re.DOTALL | re.MULTILINE)[1]


# --- laws


@given(st.builds(wire.RedirectRequest, nicks, hashes, versions, uids | st.just("")))
def test_redirect_request_survives_the_wire(request):
    assert wire.decode_redirect_request(wire.encode_redirect_request(request).partition("?")[2]) == request


@given(st.builds(wire.RedirectAnswer, bases, bases | st.just(""), bases | st.just(""), st.sampled_from(wire.Role)))
def test_redirect_answer_survives_the_wire(answer):
    assert wire.decode_redirect_answer(wire.encode_redirect_answer(answer)) == answer


@given(st.builds(wire.ListRequest, versions, uids | st.just("")))
def test_list_request_survives_the_wire(request):
    assert wire.decode_list_request(wire.encode_list_request(request).partition("?")[2]) == request


@given(flocks)
def test_flock_survives_the_wire(flock):
    assert wire.decode_flock(wire.encode_flock(flock)) == flock


@given(flocks)
def test_plain_list_reads_like_a_gzipped_one(flock):
    assert wire.decode_flock(unpacked(wire.encode_flock(flock))) == flock


@given(st.builds(wire.GetRequest, nicks, nicks, versions, uids))
def test_get_request_survives_the_wire(request):
    assert wire.decode_get_request(wire.encode_get_request(request).partition("?")[2].encode()) == request


@given(orders | no_works)
def test_get_answer_survives_the_wire(answer):
    assert wire.decode_get_answer(wire.encode_get_answer(answer)) == answer


@given(st.builds(wire.PutRequest, numbers | st.just(-1), numbers, numbers, numbers, versions, uids))
def test_put_request_survives_the_wire(request):
    assert wire.decode_put_request(wire.encode_put_request(request).partition("?")[2]) == request


@given(st.builds(wire.VoteRequest, numbers, st.sampled_from([1, -1]), uids, versions))
def test_vote_survives_the_wire_in_both_forms(request):
    path, _, query = wire.encode_vote_request(request).partition("?")
    assert path == ("cgi/vote" if request.version else "cgi/vote.cgi")
    assert wire.decode_vote_request(query) == request


@given(st.builds(Credentials, nicks, hashes))
def test_credentials_survive_the_header(credentials):
    assert decode_basic(encode_basic(credentials)) == credentials


@given(flocks)
def test_same_flock_is_always_the_same_bytes(flock):
    assert wire.encode_flock(flock) == wire.encode_flock(replace(flock))
    assert wire.encode_flock(flock)[4:8] == bytes(4), "the gzip header holds a time"


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused_as_bad_input(body):
    for decode in (wire.decode_redirect_answer, wire.decode_flock, wire.decode_get_answer):
        with pytest.raises(errors.BadInput):
            decode(body)


@given(st.binary(max_size=200) | st.text(max_size=100))
def test_any_query_is_read_or_refused_as_bad_input(query):
    for decode in (wire.decode_redirect_request, wire.decode_list_request, wire.decode_get_request,
                   wire.decode_put_request, wire.decode_vote_request):
        try:
            decode(query)
        except errors.BadInput:
            continue


# --- what real clients sent


@pytest.mark.parametrize(("scenario", "nick", "password_hash"), [
    ("anonymous", "", ANONYMOUS_HASH), ("login", "spot user", HASH)])
def test_recorded_redirect_request_is_read_and_written_alike(scenario, nick, password_hash):
    _, path, query, _ = recorded(scenario, "001_GET_query_php.txt")
    request = wire.decode_redirect_request(query)
    assert request == wire.RedirectRequest(nick, password_hash, "LNX_3.0.2", UID)
    assert wire.encode_redirect_request(request) == f"{path}?{query}"


@pytest.mark.parametrize(("scenario", "nick", "url"), [
    ("anonymous", "", ""), ("login", "spot user", "http://ex.org/~a?b=1")])
def test_recorded_get_request_is_read_and_written_alike(scenario, nick, url):
    _, path, query, _ = recorded(scenario, "002_GET_cgi_get.txt")
    request = wire.decode_get_request(query)
    assert request == wire.GetRequest(nick, url, "LNX_3.0.2", UID)
    assert wire.encode_get_request(request) == f"{path}?{query}"


@pytest.mark.parametrize("scenario", ["anonymous", "login"])
def test_recorded_list_request_is_read_and_written_alike(scenario):
    _, path, query, _ = recorded(scenario, "003_GET_cgi_list.txt")
    request = wire.decode_list_request(query)
    assert request == wire.ListRequest("LNX_3.0.2", UID)
    assert wire.encode_list_request(request) == f"{path}?{query}"


@pytest.mark.parametrize(("scenario", "number", "job", "sheep", "generation"), [
    ("anonymous", "009", 3, 1, 12), ("anonymous", "011", 7, 33860, 244), ("anonymous", "013", 5, 33860, 244),
    ("login", "009", 3, 1, 12)])
def test_recorded_put_is_read_and_written_alike(scenario, number, job, sheep, generation):
    method, path, query, _ = recorded(scenario, f"{number}_PUT_cgi_put.txt")
    size_bytes = (RECORDED / scenario / f"{number}_put_body.bin").stat().st_size
    request = wire.decode_put_request(query)
    assert method == "PUT"
    assert request == wire.PutRequest(job, sheep, size_bytes, generation, "LNX_3.0.2", UID)
    assert wire.encode_put_request(request) == f"{path}?{query}"


@pytest.mark.parametrize(("number", "vote"), [("015", 1), ("017", -1)])
def test_recorded_vote_is_read_and_written_alike(number, vote):
    _, path, query, _ = recorded("anonymous", f"{number}_GET_cgi_vote_cgi.txt")
    request = wire.decode_vote_request(query)
    assert request == wire.VoteRequest(101, vote, UID)
    assert wire.encode_vote_request(request) == f"{path}?{query}"


def test_recorded_credentials_are_read_and_written_alike():
    *_, header = recorded("login", "001_GET_query_php.txt")
    assert decode_basic(header) == Credentials("spot user", HASH)
    assert encode_basic(Credentials("spot user", HASH)) == header


def test_recorded_redirect_answer_is_written_byte_for_byte():
    text = recorded_answer("anonymous", "001_GET_query_php.txt").rstrip("\n")
    answer = wire.decode_redirect_answer(text.encode())
    assert answer.render_base == "http://render.sheepserver.net/"
    assert wire.encode_redirect_answer(answer) == text.encode()


def test_redirect_answer_without_a_role_still_gets_one_when_written():
    answer = wire.decode_redirect_answer(recorded_answer("login", "001_GET_query_php.txt").encode())
    assert answer.vote_base == answer.render_base == answer.host == "http://v2d7c.sheepserver.net/"
    assert b'role="none"' in wire.encode_redirect_answer(answer)


def test_recorded_list_is_written_byte_for_byte():
    kept = recorded_answer("anonymous", "003_GET_cgi_list.txt")
    document = kept[: kept.rindex("<sheep")] + "</list>\n"
    flock = wire.decode_flock(document.encode())
    assert (flock.generation, flock.width, flock.height, flock.retry_s, len(flock.sheep)) == (244, 800, 592, 600, 5)
    assert flock.sheep[2].file_name == "00244=00103=00101=00102.avi"
    assert [sheep.is_loop for sheep in flock.sheep] == [True, True, False, False, True]
    assert gzip.decompress(wire.encode_flock(flock)) == document.encode()


def test_recorded_no_work_is_written_byte_for_byte():
    document = recorded_answer("anonymous", "014_GET_cgi_get.txt").rstrip("\n").encode() + b"\n"
    answer = wire.decode_get_answer(document)
    assert answer == wire.NoWork(244, 60, "no work")
    assert gzip.decompress(wire.encode_get_answer(answer)) == document


def order_like(scenario_name):
    """Make the recorded head of an order whole again with the flames of the example."""
    head = re.match(r"<get[^>]*>\n<args[^>]*/>", recorded_answer("anonymous", scenario_name))[0]
    flames = EXAMPLE_LOOP[EXAMPLE_LOOP.index(b"<flame"):]
    return wire.decode_get_answer(head.encode() + flames)


@pytest.mark.parametrize(("name", "put_name", "moment"), [
    ("002_GET_cgi_get.txt", "009_PUT_cgi_put.txt", 3),
    ("010_GET_cgi_get.txt", "011_PUT_cgi_put.txt", 3),
    ("012_GET_cgi_get.txt", "013_PUT_cgi_put.txt", 3)])
def test_real_client_put_the_job_that_we_would_put(name, put_name, moment):
    order = order_like(name)
    put = wire.decode_put_request(recorded("anonymous", put_name)[2])
    assert (order.put_job, order.sheep, order.generation) == (put.job, put.sheep, put.generation)
    assert order.moment == moment


def test_example_order_keeps_its_three_flames_through_the_codec():
    order = wire.decode_get_answer(EXAMPLE_LOOP)
    assert len(etree.fromstring(wire.rooted_genome(order.genome)).findall("flame")) == 3
    assert wire.decode_get_answer(wire.encode_get_answer(order)) == order


# --- quirks of old clients


def test_second_u_is_the_uid_of_2_7b29():
    request = wire.decode_redirect_request(f"q=redir&u=spot&p={HASH}&v=WIN_2.7b29&u={UID}")
    assert (request.nick, request.uid) == ("spot", UID)


def test_macos_preference_pane_sends_no_uid():
    assert wire.decode_redirect_request(f"q=redir&u=spot&p={HASH}&v=OSX_3.0.4").uid == ""


def test_seed_order_of_list_parameters_is_read():
    assert wire.decode_list_request(f"u={UID}&v=LNX_2.7b12") == wire.ListRequest("LNX_2.7b12", UID)


def test_nick_in_a_windows_code_page_does_not_break_the_query():
    assert wire.decode_get_request(f"n=J%FCrgen&w=&v=WIN_2.7b36&u={UID}".encode()).nick == "J\ufffdrgen"


def test_percent_encoded_credentials_of_2_7b36_are_read():
    header = encode_basic(Credentials("spot%20user", HASH))
    assert decode_basic(header) == Credentials("spot%20user", HASH)
    old = "Basic c3BvdCUyMHVzZXI6MDEyMzQ1Njc4OUFCQ0RFRjAxMjM0NTY3ODlBQkNERUY="
    assert decode_basic(old) == Credentials("spot user", HASH)


@pytest.mark.parametrize("header", [
    None, "", "Bearer x", "Basic", "Basic !!!!", "Basic c3BvdA==", "Basic " + "QUFB" * 500])
def test_header_without_credentials_is_none(header):
    assert decode_basic(header) is None


def test_both_orders_of_the_salt_are_accepted_in_any_case():
    verifiers = password_verifiers("password", "spot")
    # Made with the command md5sum, not with this code.
    seed, clients, bare = ("c3304996c1e3b68f79d48242913a5af1", "f8727438603e3997e7cd2719cdc115bf",
                           "5f4dcc3b5aa765d61d8327deb882cf99")
    assert {seed.upper(), clients.upper(), bare.upper()} == set(verifiers)
    assert own_password_hash("password", "spot") == clients.upper()


@pytest.mark.parametrize("typed", ["spot", "Spot", "SPOT"])
def test_a_nick_may_be_typed_with_capitals(typed):
    assert ("electricsheep", own_password_hash("secret", typed)) in key_verifiers("secret", "spot")


def test_hosts_always_end_in_a_slash():
    answer = wire.RedirectAnswer("http://farm.example:8080", "https://votes.example/x", "", wire.Role.MEMBER)
    assert (answer.host, answer.vote, answer.render) == ("http://farm.example:8080/", "https://votes.example/x/", "")
    assert answer.vote_base == "https://votes.example/x/"
    assert answer.render_base == answer.host


def test_redirect_answer_is_plain_and_list_and_get_are_gzip():
    assert wire.encode_redirect_answer(wire.RedirectAnswer("http://a/")).startswith(b"<query>")
    assert wire.encode_flock(wire.Flock(1, 8, 8)).startswith(b"\x1f\x8b")
    assert wire.encode_get_answer(wire.NoWork(1)).startswith(b"\x1f\x8b")


def test_order_of_several_parts_leaves_the_frame_out():
    document = gzip.decompress(wire.encode_get_answer(wire.FrameOrder(244, 5, 13, FLAME, {"frame": "3"}, time=3)))
    head = b'<get gen="244" id="5" type="0" prog="flame" job="13" time="3">\n<args frame="3"/>\n<flame'
    assert document.startswith(head)


@pytest.mark.parametrize(("head", "args", "put_job", "moment"), [
    ('job="7" frame="3"', "", 3, 3), ('job="7" time="3"', "", 7, 3), ('job="7"', "", 7, 7), ('frame="4"', "", 4, 4),
    ('job="7" frame="3"', 'time="9"', 3, 9), ('job="7" time="2"', 'frame="5"', 7, 5)])
def test_every_legal_form_of_an_order_is_read(head, args, put_job, moment):
    order = wire.decode_get_answer(f'<get gen="12" id="1" {head}><args {args}/>'.encode() + FLAME + b"</get>")
    assert (order.put_job, order.moment) == (put_job, moment)


def test_genome_may_have_a_root_of_its_own():
    rooted = wire.FrameOrder(244, 5, 1, b"<pick>" + FLAME + FLAME + b"</pick>")
    assert wire.decode_get_answer(wire.encode_get_answer(rooted)).genome == FLAME + b"\n" + FLAME


def test_listed_sheep_takes_the_generation_of_its_flock():
    sheep = wire.ListedSheep(27045, 33259, 27045, 9, "http://a/b")
    assert wire.Flock(244, 8, 8, (sheep,)).sheep[0].file_name == "00244=27045=33259=27045.avi"


# --- the hostile


def test_arguments_of_a_hostile_server_are_left_out():
    args = ('bits="33" format="gif" jpeg="101" out="/etc/passwd" LD_PRELOAD="/tmp/x.so" frame="3;reboot" time="3" '
            'isaac_seed="$(id)" nthreads="64" in="/etc/shadow" qs="99999"')
    order = wire.decode_get_answer(f'<get gen="1" id="1" job="1"><args {args}/>'.encode() + FLAME + b"</get>")
    assert dict(order.args) == {"bits": "33", "time": "3"}


def test_own_server_cannot_send_what_own_client_refuses():
    with pytest.raises(MalformedMessage, match="out"):
        wire.FrameOrder(1, 1, 1, FLAME, {"out": "x"})


@pytest.mark.parametrize("query", [
    "j=99999999999999999999&id=1&s=1&g=1&u=A", "j=1&id=1&s=-1&g=1&u=A", "j=1&id=1&s=NaN&g=1&u=A",
    "j=1e3&id=1&s=1&g=1&u=A",
    "j=1&id=2147483648&s=1&g=1&u=A", "j=٣&id=1&s=1&g=1&u=A", "j=&id=1&s=1&g=1&u=A", "j=1&id=1&s=1&g=1&u=../../etc",
    "j=1&id=1&s=1&g=1&u=" + "A" * 33, "j=1&id=1&s=1&g=1&u=", "x=1&" * 40, "x" * 9000])
def test_put_with_odd_values_is_malformed(query):
    with pytest.raises(MalformedMessage):
        wire.decode_put_request(query)


@pytest.mark.parametrize("missing", ["j", "id", "s", "g", "u"])
def test_put_without_a_parameter_names_it(missing):
    fields = {"j": "1", "id": "1", "s": "1", "g": "1", "u": "A"}
    del fields[missing]
    with pytest.raises(MissingParameter, match=f"'{missing}'"):
        wire.decode_put_request("&".join(f"{name}={value}" for name, value in fields.items()))


@pytest.mark.parametrize("vote", ["0", "2", "-2", "up", "1.0", "+1", ""])
def test_vote_is_one_up_or_one_down(vote):
    with pytest.raises(MalformedMessage):
        wire.decode_vote_request(f"id=1&vote={vote}&u={UID}")


def test_redirect_request_must_ask_for_a_redirect():
    with pytest.raises(MalformedMessage):
        wire.decode_redirect_request("q=drop&u=spot")
    with pytest.raises(MissingParameter):
        wire.decode_redirect_request("u=spot")


LAUGHS = (b'<!DOCTYPE get [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
          b'<get gen="1"><message>&c;</message></get>')


@pytest.mark.parametrize("document", [
    LAUGHS, LAUGHS.decode().encode("utf-16"), b"<!DOCTYPE get><get gen='1'/>",
    b'<!DOCTYPE get [<!ENTITY x SYSTEM "file:///etc/hostname">]><get gen="1"><message>&x;</message></get>',
    b"<error>no</error>", b"<html><body>busy</body></html>", b"", b"<get", b"\x1f\x8b\x08",
    b"<get>" + b"<a>" * 1000 + b"</a>" * 1000 + b"</get>",
    b'<get gen="NaN"/>', b'<get gen="99999999999"/>', b'<get gen="1" id="1" job="1"><args/></get>',
    b'<get gen="1" job="1"><args/><flame/></get>', b'<get gen="1" id="1"><args/><flame/></get>',
    b'<get gen="1" id="1" job="1" frame="99999999"><args/><flame/></get>'])
def test_hostile_orders_are_refused(document):
    with pytest.raises(errors.BadInput):
        wire.decode_get_answer(document)


def test_gzip_bomb_is_refused():
    with pytest.raises(TooLarge):
        wire.decode_get_answer(packed(b"<get>" + b" " * 50_000_000 + b"</get>"))


@pytest.mark.parametrize("damage", [
    lambda body: body[:-1], lambda body: body[:20], lambda body: body[:15] + b"\0\0\0" + body[18:]])
def test_damaged_gzip_is_refused(damage):
    with pytest.raises(MalformedMessage):
        wire.decode_flock(damage(wire.encode_flock(wire.Flock(244, 800, 592))))


@pytest.mark.parametrize("genome", [
    b"", b"no flame", b"<flame/></flames><evil/><flames>", b"<script/>", b"<flame/><script/>", b"<flame>", b"<pick/>"])
def test_genome_that_is_not_flames_is_not_sent(genome):
    with pytest.raises(MalformedMessage):
        wire.encode_get_answer(wire.FrameOrder(1, 1, 1, genome))


def test_sheep_that_make_no_sense_are_passed_over():
    good = '<sheep id="1" state="done" size="9" first="1" last="1" url="http://a/b"/>'
    bad = [good.replace('id="1"', 'id="100000"'), good.replace("http://a/b", "a/b"),
           good.replace('size="9"', 'size="NaN"'), good.replace('first="1"', ""),
           good.replace("http:", "file:"), good.replace('last="1"', 'last="-1"'), good.replace("http://a/b", "http://[a/b")]
    flock = wire.decode_flock(f'<list gen="244">{good}{"".join(bad)}</list>'.encode())
    assert [sheep.id for sheep in flock.sheep] == [1]
    assert (flock.width, flock.height, flock.sheep[0].rating) == (0, 0, 0)


@pytest.mark.parametrize("url", ["", "sheep.avi", "//a/b", "javascript:alert(1)", "http://", "http://a/\n"])
def test_sheep_cannot_have_a_url_that_crashes_clients(url):
    with pytest.raises(MalformedMessage):
        wire.ListedSheep(1, 1, 1, 1, url)


@pytest.mark.parametrize("answer", [
    b"<query/>", b"<query><redir/></query>", b'<query><redir host="farm"/></query>', b"<redir/>",
    b'<query><redir host="ftp://a/"/></query>', b'<query><redir host="http://a/" role="../x"/></query>'])
def test_redirect_answer_without_a_host_is_refused(answer):
    with pytest.raises(errors.BadInput):
        wire.decode_redirect_answer(answer)


# --- refusals

ALL_ERRORS = [error for _, error in inspect.getmembers(errors, inspect.isclass)
              if issubclass(error, errors.SheepfoldError)]


@pytest.mark.parametrize("kind", list(wire.RequestKind))
@pytest.mark.parametrize("error", ALL_ERRORS)
def test_every_error_has_an_answer_that_clients_survive(error, kind):
    status = wire.answer_for(error(), kind).status
    assert status in {400, 403, 404, 409, 413, 422, 503} or (kind is wire.RequestKind.PUT and status == 200)


@pytest.mark.parametrize("error", [error for error in ALL_ERRORS if error is not errors.SheepfoldError])
def test_every_error_has_a_row(error):
    assert any(row in wire.ERROR_ANSWERS for row in error.__mro__)


@pytest.mark.parametrize("error", [
    errors.BadResult, errors.UndecodablePicture, errors.WrongDimensions, errors.BrokenPicture, errors.LeaseNotHeld,
    errors.UnknownLease, errors.UnknownTask, errors.UnknownSheep, errors.JobEnded])
def test_frame_that_arrived_is_thanked_for_whatever_its_verdict(error):
    assert wire.answer_for(error(), wire.RequestKind.PUT).status == 200
    assert wire.answer_for(error(), wire.RequestKind.GET).status != 200


@pytest.mark.parametrize(("error", "status"), [
    (errors.MissingParameter, 400), (errors.TooLarge, 413), (errors.StoreUnavailable, 503), (errors.Overloaded, 503)])
def test_put_that_could_not_be_taken_is_told_so(error, status):
    assert wire.answer_for(error(), wire.RequestKind.PUT).status == status


def test_busy_farm_says_when_to_come_back():
    assert wire.answer_for(errors.Maintenance(), wire.RequestKind.LIST).retry_after_s == 60
