"""Electric Sheep's requests against a real farm: what the clients get, and what the farm then thinks."""

import asyncio
import gzip
import hashlib
import io
import logging
import re
import sys
import zlib

import httpx
import pytest
from lxml import etree
from PIL import Image
from tests.conftest import balances

from sheepfold.farm.accounts import add_account
from sheepfold.farm.browse import view_job
from sheepfold.farm.dispatch import open_blob
from sheepfold.farm.orders import cancel_job
from sheepfold.farm.upkeep import expire_leases
from sheepfold.kinds.flame.genome import spex
from sheepfold.model.accounts import Role
from sheepfold.model.errors import StoreUnavailable
from sheepfold.model.jobs import JobState
from sheepfold.model.tasks import LeaseState, Soundness, TaskState, Verdict
from sheepfold.protocols.electricsheep import endpoints, wire
from sheepfold.protocols.electricsheep.credentials import ANONYMOUS_HASH

UID = "A5BD1F1A9DAB2B36"
OTHER_UID = "98BD1F1A9DAB2B36"
SIDE = 32
HOST = "http://sheep.example:8080/"


def md5(text):
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("where", ["/cgi/get?u=X{}", "/cgi/put?j=0&id=1&s={}&g=1&u={}", "/cgi/vote?u={}&id={}&vote=1"])
def test_a_hash_in_a_wrong_place_stays_out_of_the_log(site, caplog, where):
    caplog.set_level(logging.INFO)
    hashed = md5("a key").upper()
    site.http.request("PUT" if "put" in where else "GET", where.replace("{}", hashed))
    (told,) = (line.getMessage().lower() for line in caplog.records if line.name == endpoints.__name__)
    assert "refused=" in told
    assert hashed.lower() not in told


def redir(site, nick="", password_hash=ANONYMOUS_HASH, **headers):
    asked = f"/query.php?q=redir&u={nick}&p={password_hash}&v=LNX_2.7b12&i={UID}"
    answer = site.http.get(asked, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def verdicts(site, order):
    return [result.verdict for result in site.results(order)]


# --- redirect


def test_redirection_is_plain_xml_and_ends_in_a_slash(site):
    answer = redir(site)
    assert answer.headers["content-type"].startswith("text/xml")
    assert "content-encoding" not in answer.headers
    root = etree.fromstring(answer.content)
    assert (root.tag, [child.tag for child in root]) == ("query", ["redir"])
    assert root[0].get("host") == HOST


def test_an_anonymous_client_is_told_that_it_is_nobody(site):
    assert wire.decode_redirect_answer(redir(site).content).role == "none"
    assert wire.decode_redirect_answer(redir(site, "spot").content).role == "none"


def test_the_seeds_request_and_that_of_2_7b29_are_answered(site):
    for query in (
        "q=redir&u=spot&p=E42D7CD78F00B204E9800998ECF8427E&v=LNX_2.7b12&i=8D94A5E812F4D8E9",
        "q=redir&u=spot&p=E42D7CD78F00B204E9800998ECF8427E&v=LNX_2.7b29&u=8D94A5E812F4D8E9",
        "q=redir&u=spot&p=E42D7CD78F00B204E9800998ECF8427E&v=OSX_3.0.4",
    ):
        answer = site.http.get(f"/query.php?{query}", headers={"Accept": "*/*"})
        assert answer.status_code == 200
        assert wire.decode_redirect_answer(answer.content).role == "error"


@pytest.mark.parametrize("order", ["seed", "clients", "bare"])
@pytest.mark.parametrize("spelt", [str.upper, str.lower])
def test_a_keys_hash_is_known_in_either_order_and_any_case(site, order, spelt):
    key = site.key("spot", "bedroom")
    text = {"seed": f"{key}spotsh33p", "clients": f"{key}sh33pspot", "bare": key}[order]
    assert wire.decode_redirect_answer(redir(site, "spot", spelt(md5(text))).content).role == "registered"


def test_another_nick_with_a_known_hash_is_an_error(site):
    key = site.key("spot", "bedroom")
    add_account(site.farm, "rex", Role.VOLUNTEER, "")
    assert wire.decode_redirect_answer(redir(site, "rex", md5(f"{key}sh33pspot")).content).role == "error"


@pytest.mark.parametrize("changed", [{"public_url": "https://flock.example/fold"}])
def test_the_public_url_overrides_the_way_a_client_came(site):
    site.filmed()
    assert wire.decode_redirect_answer(redir(site).content).host == "https://flock.example/fold/"
    assert site.listed().sheep[0].url == "https://flock.example/fold/gen/1/1/sheep.avi"


def test_urls_name_the_host_that_the_client_called(site):
    site.filmed()
    site.http.base_url = "https://10.0.0.7:4443"
    assert wire.decode_redirect_answer(redir(site).content).host == "https://10.0.0.7:4443/"
    assert site.listed().sheep[0].url == "https://10.0.0.7:4443/gen/1/1/sheep.avi"


@pytest.mark.parametrize("host", ["", '"><redir host="http://evil/', "a\x7fb", "two words", "[::1", "x" * 2000])
def test_an_odd_host_header_is_answered_without_breaking_the_document(site, host):
    for path in ("/query.php?q=redir&u=&p=", f"/cgi/list?u={UID}"):
        answer = site.http.get(path, headers={"Host": host})
        assert answer.status_code in {200, 400}
        if answer.status_code == 200 and path.startswith("/query"):
            assert len(etree.fromstring(answer.content)) == 1


# --- list


def test_an_empty_flock_leaves_the_clients_previous_list_in_force(site):
    answer = site.http.get(f"/cgi/list?v=LNX_2.7b12&u={UID}")
    root = etree.fromstring(gzip.decompress(answer.content))
    assert (root.tag, len(root), int(root.get("gen")) > 0) == ("list", 0, True)


def test_a_list_is_a_gzip_file_whose_sheep_have_the_sizes_of_their_films(site):
    job = site.filmed(frames=3)
    answer = site.http.get(f"/cgi/list?u={UID}&v=LNX_2.7b12")
    assert answer.content[:2] == b"\x1f\x8b"
    assert "content-encoding" not in answer.headers
    root = etree.fromstring(gzip.decompress(answer.content))
    assert (root.get("gen"), root.get("size")) == ("1", f"{SIDE} {SIDE}")
    (sheep,) = root
    assert {name: sheep.get(name) for name in ("id", "type", "state", "first", "last", "rating")} == {
        "id": "1", "type": "0", "state": "done", "first": "1", "last": "1", "rating": "0"}
    film = site.http.get(sheep.get("url"))
    assert film.status_code == 200
    assert len(film.content) == int(sheep.get("size")) == int(film.headers["content-length"])
    assert film.content[:4] == b"RIFF"
    assert view_job(site.farm, job.id).job.state is JobState.DONE


def test_an_edge_is_listed_with_the_keyframes_that_it_joins(site):
    site.filmed()
    site.order("r2.flam3", frames=1)
    edge = site.filmed("r1.flam3", "r2.flam3", shape="edge")
    listed = {one.id: (one.first, one.last) for one in site.listed().sheep}
    assert listed == {1: (1, 1), 2: (2, 2), 3: (1, 2)}
    assert view_job(site.farm, edge.id).sheep.id.number == 3


def test_a_sheep_without_a_film_is_not_listed(site):
    site.order(frames=1)
    assert site.listed().sheep == ()


# --- get


def test_an_order_is_a_gzip_file_rooted_in_get_with_one_number_for_all(site):
    site.order(frames=1)
    answer = site.http.get(f"/cgi/get?n=&w=&v=LNX_3.0.2&u={UID}&r=1&c=1")
    assert answer.content[:2] == b"\x1f\x8b"
    assert "content-encoding" not in answer.headers
    root = etree.fromstring(gzip.decompress(answer.content))
    told = {name: root.get(name) for name in ("gen", "id", "type", "prog", "job", "frame", "time")}
    assert root.tag == "get"
    assert told == {"gen": "1", "id": "1", "type": "0", "prog": "flame", "job": "0", "frame": "0", "time": "0"}
    args = root.find("args")
    assert (args.get("format"), args.get("time"), args.get("bits")) == ("png", "0", "33")
    assert args.get("isaac_seed")
    assert set(args.attrib) <= set(wire.ALLOWED_ARGS)
    assert [flame.get("time") for flame in root.iter("flame")] == ["-1", "0", "1"]


def test_the_frames_of_a_sheep_are_handed_out_one_by_one(site):
    site.order(frames=3)
    assert [site.ask().put_job for _ in range(3)] == [0, 1, 2]
    assert isinstance(site.ask(), wire.NoWork)


def test_parts_of_a_frame_have_jobs_of_their_own_and_no_frame(site):
    site.order(frames=2, parts=3)
    orders = [site.ask() for _ in range(6)]
    assert [order.put_job for order in orders] == [0, 1, 2, 3, 4, 5]
    assert [order.frame for order in orders] == [None] * 6
    assert [order.moment for order in orders] == [0, 0, 0, 1, 1, 1]
    assert len({order.args["isaac_seed"] for order in orders}) == 6


def test_no_work_is_a_get_with_a_message_and_a_retry_but_no_args(site):
    answer = site.http.get(f"/cgi/get?n=&w=&v=LNX_3.0.2&u={UID}&r=1&c=1")
    root = etree.fromstring(gzip.decompress(answer.content))
    assert (answer.status_code, root.tag, root.find("args")) == (200, "get", None)
    assert int(root.get("retry")) > 0
    assert root.findtext("message")


def test_a_still_is_never_handed_out_on_this_wire(site):
    site.order(shape="still")
    assert isinstance(site.ask(), wire.NoWork)


def test_what_a_client_tells_with_its_request_is_in_the_story(site):
    site.order()
    site.http.get(f"/cgi/get?n=spot%20user&w=http%3A%2F%2Fex%2Eorg%2F%7Ea%3Fb%3D1&v=LNX_3.0.2&u={UID}&r=1&c=1")
    (lease,) = site.story(wire.FrameOrder(1, 1, 0, b"", {}, 0, 0)).leases
    told = {"nick": "spot user", "credit_url": "http://ex.org/~a?b=1", "version": "LNX_3.0.2"}
    assert told.items() <= lease.figures.items()
    assert (lease.machine, lease.account) == (f"es-{UID.lower()}", "anonymous")


def test_a_suspended_machine_gets_nothing_but_is_not_logged_out(site):
    site.order(frames=6)
    for _ in range(5):
        order = site.ask()
        assert site.put(order, b"rubbish").status_code == 200
    assert site.http.get(f"/cgi/get?n=&w=&v=LNX_3.0.2&u={UID}&r=1&c=1").status_code == 403


def out_of_reach(*_):
    raise StoreUnavailable("The store of files does not answer.")


def test_an_order_that_cannot_be_sent_for_now_is_given_back(site, monkeypatch):
    site.order(frames=1)
    with monkeypatch.context() as away:
        away.setattr(endpoints, "open_blob", out_of_reach)
        for _ in range(5):
            assert site.http.get(f"/cgi/get?n=&w=&v=LNX_3.0.2&u={UID}&r=1&c=1").status_code == 503
    order = site.ask(OTHER_UID)
    assert order.put_job == 0
    assert {lease.state for lease in site.story(order).leases} == {LeaseState.RELEASED, LeaseState.ACTIVE}


def test_a_sheep_whose_genome_is_lost_ends(site):
    job = site.order(frames=1)
    for digest, _ in site.farm.blobs.list_digests():
        site.farm.blobs.local_path(digest, site.farm.spool_folder).unlink()
    statuses = [site.http.get(f"/cgi/get?n=&w=&v=LNX_3.0.2&u={UID}&r=1&c=1").status_code for _ in range(10)]
    assert statuses == [404] * statuses.count(404) + [200] * statuses.count(200)
    assert isinstance(site.ask(), wire.NoWork)
    assert view_job(site.farm, job.id).job.state is JobState.FAILED


# --- put


def test_a_good_picture_is_accepted_valid_and_credited_to_the_account(site):
    key = site.key("spot", "bedroom")
    site.order()
    order = site.ask(nick="spot", **site.basic("spot", key))
    answer = site.put(order, site.picture())
    assert (answer.status_code, answer.content) == (200, b"<put/>")
    assert verdicts(site, order) == [Verdict.VALID]
    assert site.story(order).task.state is TaskState.DONE
    assert balances(site.farm)["spot"] > 0
    assert balances(site.farm)["anonymous"] == 0


def test_a_wrong_key_renders_anonymously_and_is_never_a_401(site):
    site.key("spot", "bedroom")
    site.order()
    order = site.ask(nick="spot", **site.basic("spot", "guessed"))
    assert site.put(order, site.picture()).status_code == 200
    assert balances(site.farm)["anonymous"] > 0
    assert balances(site.farm)["spot"] == 0


def test_a_jpeg_counts_although_png_was_asked_for(site):
    site.order()
    order = site.ask()
    target = io.BytesIO()
    Image.open(io.BytesIO(site.picture())).save(target, "JPEG", quality=90)
    assert site.put(order, target.getvalue()).status_code == 200
    assert verdicts(site, order) == [Verdict.VALID]


def bomb():
    """Return a PNG of 30,000 pixels a side, all black, in some kilobytes."""
    def chunk(name, data):
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = (30_000).to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00"
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10_000_000), 9))
            + chunk(b"IEND", b""))


BAD = {
    "rubbish": lambda site: (b"this is no picture", Soundness.UNDECODABLE),
    "truncated": lambda site: (site.picture()[:200], Soundness.UNDECODABLE),
    "another size": lambda site: (site.picture(0, SIDE, SIDE + 1), Soundness.WRONG_SIZE),
    "a bomb": lambda site: (bomb(), Soundness.UNDECODABLE),
    "a web page": lambda site: (b"<html><body>Login</body></html>", Soundness.UNDECODABLE),
    "empty": lambda site: (b"", Soundness.UNDECODABLE),
}


@pytest.mark.parametrize("which", BAD)
def test_a_bad_picture_is_thanked_for_but_invalid_and_its_task_opens_again(site, which):
    site.order()
    body, soundness = BAD[which](site)
    order = site.ask()
    answer = site.put(order, body)
    assert (answer.status_code, answer.content) == (200, b"<put/>")
    (result,) = site.results(order)
    assert (result.verdict, result.soundness) == (Verdict.INVALID, soundness)
    assert result.reason
    assert balances(site.farm)["anonymous"] == 0
    again = site.ask(OTHER_UID)
    assert again.put_job == order.put_job
    assert site.put(again, site.picture(), OTHER_UID).status_code == 200
    assert site.story(order).task.state is TaskState.DONE


def test_a_blank_picture_waits_until_another_account_made_the_same(site):
    site.order()
    blank = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE)).save(blank, "PNG")
    order = site.ask()
    assert site.put(order, blank.getvalue()).status_code == 200
    assert verdicts(site, order) == [Verdict.PENDING]
    key = site.key("rex", "kennel")
    again = site.ask(OTHER_UID, "rex", **site.basic("rex", key))
    assert site.put(again, blank.getvalue(), OTHER_UID).status_code == 200
    assert verdicts(site, order) == [Verdict.VALID, Verdict.VALID]


@pytest.mark.parametrize("off", [-1, 1])
def test_another_size_than_announced_is_thanked_for_and_forgotten(site, off):
    site.order()
    order = site.ask()
    assert site.put(order, site.picture(), s=len(site.picture()) + off).status_code == 200
    assert verdicts(site, order) == []
    assert site.put(order, site.picture()).status_code == 200
    assert verdicts(site, order) == [Verdict.VALID]


def test_the_same_picture_twice_is_one_result_and_one_payment(site):
    site.order()
    order = site.ask()
    site.put(order, site.picture())
    earned = balances(site.farm)["anonymous"]
    assert site.put(order, site.picture()).status_code == 200
    assert verdicts(site, order) == [Verdict.VALID]
    assert balances(site.farm)["anonymous"] == earned > 0


def test_a_second_picture_for_a_lease_changes_nothing(site):
    site.order()
    order = site.ask()
    site.put(order, site.picture(1))
    earned = balances(site.farm)["anonymous"]
    assert site.put(order, site.picture(2)).status_code == 200
    assert len(site.results(order)) == 1
    assert balances(site.farm)["anonymous"] == earned


def test_two_machines_with_one_uid_share_a_lease_and_one_is_paid(site):
    key = site.key("spot", "bedroom")
    site.order(frames=2)
    first = site.ask(UID, "spot", **site.basic("spot", key))
    second = site.ask(UID.lower())
    assert (first.put_job, second.put_job) == (0, 1)
    assert {site.put(first, site.picture(seed)).status_code for seed in (1, 2)} == {200}
    assert len(site.results(first)) == 1
    assert balances(site.farm) == {"anonymous": 0, "shepherd": 0, "spot": balances(site.farm)["spot"]}
    assert balances(site.farm)["spot"] > 0
    assert site.put(second, site.picture(3), UID.lower()).status_code == 200
    assert balances(site.farm)["anonymous"] > 0


def test_a_late_picture_is_a_picture(site):
    site.order()
    order = site.ask()
    site.clock.now += site.farm.settings.silent_lease_term_s + 1
    assert expire_leases(site.farm) == 1
    assert site.put(order, site.picture()).status_code == 200
    assert verdicts(site, order) == [Verdict.VALID]
    assert balances(site.farm)["anonymous"] > 0
    assert isinstance(site.ask(OTHER_UID), wire.NoWork)


def test_a_dropped_order_is_given_to_another_machine_and_both_may_deliver(site):
    site.order()
    order = site.ask()
    site.clock.now += site.farm.settings.silent_lease_term_s + 1
    expire_leases(site.farm)
    again = site.ask(OTHER_UID)
    assert again.put_job == order.put_job
    assert site.put(again, site.picture(1), OTHER_UID).status_code == 200
    assert site.put(order, site.picture(1)).status_code == 200
    assert verdicts(site, order) == [Verdict.VALID, Verdict.VALID]


def test_a_picture_of_a_canceled_job_is_still_paid(site):
    job = site.order()
    order = site.ask()
    cancel_job(site.farm, site.shepherd, job.id)
    assert site.put(order, site.picture()).status_code == 200
    assert verdicts(site, order) == [Verdict.VALID]
    assert site.story(order).task.state is TaskState.CANCELED
    assert balances(site.farm)["anonymous"] > 0


def test_a_machine_without_the_lease_is_thanked_and_earns_nothing(site):
    site.order()
    order = site.ask()
    assert site.put(order, site.picture(), OTHER_UID).status_code == 200
    site.ask(OTHER_UID)
    assert site.put(order, site.picture(), OTHER_UID).status_code == 200
    assert verdicts(site, order) == []
    assert [lease.state for lease in site.story(order).task.leases] == [LeaseState.ACTIVE]


@pytest.mark.parametrize("lie", [{"id": 99}, {"g": 7}, {"j": 500}, {"j": -1}, {"id": -1}, {"g": -1},
                                 {"j": 2**31 - 1, "id": 2**31 - 1, "g": 2**31 - 1}])
def test_a_picture_of_nothing_that_was_ordered_is_thanked_and_dropped(site, lie):
    site.order()
    order = site.ask()
    assert site.put(order, site.picture(), **lie).status_code == 200
    assert verdicts(site, order) == []


def test_a_picture_of_a_quorum_of_two_waits_for_the_second_machine(site):
    site.order(quorum=2)
    first, second = site.ask(), site.ask(OTHER_UID)
    assert first.put_job == second.put_job
    site.put(first, site.picture())
    assert verdicts(site, first) == [Verdict.PENDING]
    site.put(second, site.picture(), OTHER_UID)
    assert verdicts(site, first) == [Verdict.VALID, Verdict.VALID]


def test_every_part_of_a_frame_lands_on_its_own_task(site):
    site.order(frames=2, parts=2)
    orders = [site.ask() for _ in range(4)]
    for order in orders:
        assert site.put(order, site.picture(order.put_job)).status_code == 200
    assert [verdicts(site, order) for order in orders] == [[Verdict.VALID]] * 4


def test_a_body_above_the_limit_is_413_whether_announced_or_streamed(site):
    site.order()
    order = site.ask()
    large = bytes(site.farm.settings.result_limit_bytes + 1)
    assert site.put(order, large).status_code == 413
    streamed = site.http.put(f"/cgi/put?j=0&id=1&s=9&g=1&v=&u={UID}", content=iter([large[:150_000], large[:150_000]]))
    assert streamed.status_code == 413
    assert not list(site.farm.spool_folder.iterdir())
    assert verdicts(site, order) == []


# --- media and pages


def test_films_come_as_avi_and_mp4_of_the_same_pictures(site):
    site.filmed()
    avi, mp4 = (site.http.get(f"/gen/1/1/sheep.{ending}") for ending in ("avi", "mp4"))
    assert (avi.status_code, mp4.status_code) == (200, 200)
    assert (avi.content[:4], mp4.content[4:8]) == (b"RIFF", b"ftyp")
    assert avi.headers["content-type"] == "video/x-msvideo"
    assert mp4.headers["content-type"] == "video/mp4"


def test_a_genome_is_offered_under_its_traditional_name(site):
    site.order("r1.flam3", frames=1)
    site.order("r2.flam3", frames=1)
    site.order("r1.flam3", "r2.flam3", frames=1, shape="edge")
    for number, flames in ((1, 1), (2, 1), (3, 2)):
        answer = site.http.get(f"/gen/1/{number}/electricsheep.1.{number:05d}.flam3")
        assert answer.status_code == 200
        assert len(list(etree.fromstring(answer.content).iter("flame"))) == flames


def test_a_strangers_genome_keeps_nobody_waiting(site):
    site.order("r1.flam3", frames=1)
    ran = set()

    async def get():
        transport = httpx.ASGITransport(site.application)
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
            sys.setprofile(lambda frame, *_: ran.add(frame.f_code))  # of the event loop's thread alone
            try:
                return await client.get("/gen/1/1/electricsheep.1.00001.flam3")
            finally:
                sys.setprofile(None)

    assert asyncio.run(get()).content.startswith(b"<spex>")
    assert endpoints._genome.__code__ in ran
    assert not {spex.__code__, open_blob.__code__} & ran


@pytest.mark.parametrize("path", [
    "/gen/1/1/sheep.webm", "/gen/1/1/sheep", "/gen/1/1/sheep.avi/", "/gen/1/2/sheep.avi", "/gen/2/1/sheep.avi",
    "/gen/1/1/electricsheep.1.1.flam3", "/gen/1/1/electricsheep.1.00002.flam3", "/gen/1/1/spex.flam3",
    "/gen/1/-1/sheep.avi", "/gen/1/99999999999999999999/sheep.avi", f"/gen/{'9' * 5000}/1/sheep.avi",
    f"/gen/1/{'9' * 5000}/electricsheep.1.00001.flam3", "/gen/1/1/..%2f..%2fsheep.avi", "/gen/1/x/sheep.avi",
    "/cgi/set?name=beginid&value=1", "/cgi/", "/cgi/put/", "/cgi/list/", "/query.php/", "/gen/", "/account/none",
])
def test_what_is_not_there_is_404_and_no_redirect(site, path):
    site.filmed()
    assert site.http.get(path).status_code == 404


def test_a_film_that_is_not_made_yet_is_404(site):
    site.order()
    assert site.http.get("/gen/1/1/sheep.avi").status_code == 404


def test_the_status_page_tells_of_the_flock(site):
    assert "0 sheep" in site.http.get("/cgi/status.cgi").text
    site.filmed()
    site.http.get(f"/cgi/vote.cgi?id=1&vote=1&u={UID}")
    text = site.http.get("/cgi/status.cgi").text
    assert "1 sheep" in text
    assert re.search(r"sheep 1\b.*\b1\b", text)


# --- what makes no sense


@pytest.mark.parametrize("path", [
    "/query.php", "/query.php?q=login", "/query.php?q=redir&" + "&".join(f"x{n}=1" for n in range(1000)),
    "/query.php?q=redir&u=" + "a" * 9000,
    "/cgi/get", "/cgi/get?n=spot&v=LNX_3.0.2", "/cgi/get?u=", "/cgi/get?u=nothex", f"/cgi/get?u={'A' * 33}",
    "/cgi/vote", "/cgi/vote.cgi", "/cgi/vote.cgi?id=x&vote=1&u=AB", "/cgi/vote.cgi?id=1&vote=&u=AB",
])
def test_a_query_that_makes_no_sense_is_400(site, path):
    answer = site.http.get(path)
    assert answer.status_code == 400
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("query", [
    "", f"j=0&id=1&g=1&u={UID}", f"j=x&id=1&s=3&g=1&u={UID}", f"j=0&id=1&s=-3&g=1&u={UID}", "j=0&id=1&s=3&g=1",
    f"j=0&id=1&s=3&g=1&u={UID}&" + "&".join(f"x{n}=1" for n in range(1000)), f"j=0&id=1&s={'9' * 400}&g=1&u={UID}",
    f"id=1&s=3&g=1&u={UID}", "%00=%00", "j=%FF&id=%80&s=%C3&g=%28&u=%00",
])
def test_a_put_that_makes_no_sense_is_400(site, query):
    assert site.http.put(f"/cgi/put?{query}", content=b"abc").status_code == 400


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/query.php"), ("PUT", "/cgi/list"), ("POST", "/cgi/get"), ("GET", "/cgi/put"), ("POST", "/cgi/put"),
    ("DELETE", "/gen/1/1/sheep.avi"), ("PUT", "/cgi/vote"),
])
def test_another_method_is_405(site, method, path):
    assert site.http.request(method, path).status_code == 405


@pytest.mark.parametrize("header", ["", "Basic", "Basic =", "Basic %%%", "Basic Og==", "Basic " + "A" * 5000,
                                    "Bearer x", "Digest a=b", "Basic AAAA", "Basic //79/Q=="])
def test_odd_credentials_are_no_credentials(site, header):
    site.order(frames=2)
    order = site.ask(Authorization=header)
    assert isinstance(order, wire.FrameOrder)
    assert site.story(order).leases[0].account == "anonymous"


@pytest.mark.parametrize("path", ["/cgi/get", "/cgi/vote", "/cgi/vote.cgi"])
def test_head_neither_claims_nor_votes(site, path):
    assert site.http.head(path, params={"u": UID, "id": "1", "vote": "1"}).status_code == 405
