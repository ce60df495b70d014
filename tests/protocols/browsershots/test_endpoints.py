"""The server of Browsershots: calls, faults in their order, redirects."""

import hashlib
import io
import re
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any
from xmlrpc.client import Binary, Fault

import pytest
from PIL import Image
from tests.conftest import balances

from sheepfold.farm.browse import story
from sheepfold.farm.browsers import remove_browser, view_factory
from sheepfold.farm.nonces import account_named
from sheepfold.farm.upkeep import expire_leases
from sheepfold.model.accounts import Role
from sheepfold.model.browsers import Screen
from sheepfold.model.errors import StoreUnavailable
from sheepfold.model.tasks import LeaseState, TaskId, TaskState
from sheepfold.store import visits

ERROR_PAGES = Path(__file__).resolve().parents[2] / "kinds" / "screenshot" / "error_pages"


def code_of(raised: pytest.ExceptionInfo[Fault]) -> tuple[int, str]:
    return raised.value.faultCode, raised.value.faultString


def test_a_job_goes_through_poll_redirect_and_upload(site, picture):
    job = site.order()
    answer = site.argo.poll()
    (task_id,) = site.task_ids(job)
    assert answer == {
        "request": task_id, "browser": "Firefox", "version": "3.0", "major": 3, "minor": 0, "command": "firefox",
        "width": 1024, "height": 768, "bpp": 24, "javascript": "", "java": "", "flash": "",
    }  # fmt: skip
    led = site.argo.visit(task_id)
    assert (led.status_code, led.headers["location"]) == (302, "http://127.0.0.1/page.html")
    hashkey = site.argo.upload(task_id, picture())
    assert len(hashkey) == 32
    assert balances(site.farm)["argo-owner"] > 0
    assert story(site.farm, TaskId(task_id)).task.state is TaskState.DONE
    with pytest.raises(Fault) as idle:
        site.argo.poll()
    assert code_of(idle) == (204, "No matching request.")


def test_both_hashes_prove_a_key(tmp_path, inspector, new_site):
    with new_site(tmp_path / "data", inspector, browsershots_hash="md5") as site:
        assert site.argo.call("nonces.challenge", "argo")["algorithm"] == "md5"
        assert site.argo.call("nonces.challenge", "argo")["salt"] == ""
        assert site.argo.call("nonces.verify", "argo", site.argo.encrypted()) is True


def test_a_nonce_is_good_for_one_call(site):
    encrypted = site.argo.encrypted()
    assert site.argo.call("nonces.verify", "argo", encrypted) is True
    with pytest.raises(Fault) as again:
        site.argo.call("nonces.verify", "argo", encrypted)
    assert code_of(again) == (401, "Password mismatch.")


def test_a_nonce_expires_after_ten_minutes(site):
    early, late = site.argo.encrypted(), site.argo.encrypted()
    site.clock.now += 590
    assert site.argo.call("nonces.verify", "argo", early) is True
    site.clock.now += 70
    with pytest.raises(Fault) as expired:
        site.argo.call("nonces.verify", "argo", late)
    assert code_of(expired) == (408, "Authentication failed (nonce expired).")


def test_an_encrypted_password_in_capitals_is_wrong(site):
    with pytest.raises(Fault) as wrong:
        site.argo.call("nonces.verify", "argo", site.argo.encrypted().upper())
    assert code_of(wrong) == (401, "Password mismatch.")


def test_a_factorys_nonce_is_none_of_its_users(site):
    told = site.argo.call("nonces.challengeUser", "argo-owner")
    inner = hashlib.sha1((told["salt"] + site.argo.password).encode()).hexdigest()
    encrypted = hashlib.md5((inner + told["nonce"]).encode()).hexdigest()
    with pytest.raises(Fault):
        site.argo.call("nonces.verify", "argo", encrypted)
    assert site.argo.call("nonces.verifyUser", "argo-owner", encrypted) is True


def test_unknown_names_are_told(site):
    for method, name, words in [
        ("nonces.challenge", "nemo", "Factory not found with name=nemo."),
        ("nonces.challengeUser", "nemo", "User not found."),
        ("factories.features", "nemo", "Factory not found with name=nemo."),
    ]:
        with pytest.raises(Fault) as unknown:
            site.argo.call(method, name)
        assert code_of(unknown) == (404, words)
    with pytest.raises(Fault) as unknown:
        site.argo.call("requests.status", 4711)
    assert code_of(unknown) == (404, "Request group not found.")
    with pytest.raises(Fault) as unknown:
        site.argo.call("no.such")
    assert code_of(unknown) == (404, 'method "no.such" is not supported')


def test_a_factory_without_browsers_is_told_so(site):
    bare = site.factory("bare")
    with pytest.raises(Fault) as nothing:
        bare.poll()
    assert code_of(nothing) == (404, "No active browsers registered for factory bare.")


def test_a_request_goes_to_who_has_its_version_platform_width_and_depth(site):
    site.browser("argo", "Opera", "9.2", screen=Screen(800, 600, 24))
    for wish in (
        {"browsers": [{"name": "firefox", "version": "2.0"}], "widths": [800]},
        {"platform": "windows", "widths": [800]},
        {"widths": [1024]},
        {"widths": [800], "bpp": 16},
        {"widths": [800], "flash": "enabled"},
        {"widths": [800], "mode": "page"},
    ):
        site.order(**wish)
        with pytest.raises(Fault):
            site.argo.poll()
    site.order(browsers=[{"name": "firefox", "version": "3"}, "opera"], widths=[800], platform="linux")
    assert {site.argo.poll()["browser"], site.argo.poll()["browser"]} == {"Firefox", "Opera"}


def test_the_newest_of_several_fitting_browsers_is_chosen(site):
    site.browser("argo", "Firefox", "2.0.0.20")
    site.order()
    assert site.argo.poll()["version"] == "3.0"


def test_a_request_that_no_browser_of_a_factory_fits_is_not_locked_by_its_poll(site):
    job = site.order(browsers=[{"name": "firefox", "version": "2.0"}])
    with pytest.raises(Fault) as idle:
        site.argo.poll()
    assert code_of(idle) == (204, "No matching request.")
    old = site.factory("old")
    site.browser("old", "Firefox", "2.0.0.20")
    assert [old.poll()["request"]] == site.task_ids(job)


def test_a_request_whose_browser_was_removed_meanwhile_is_unlocked_by_the_visit(site):
    job = site.order()
    request = site.argo.poll()["request"]
    (browser,) = view_factory(site.farm, "argo").browsers
    remove_browser(site.farm, None, "argo", browser.id)
    refused = site.argo.visit(request)
    assert refused.status_code == 404
    assert "No matching browser" in refused.text
    other = site.factory("other")
    site.browser("other")
    assert [other.poll()["request"]] == site.task_ids(job)


def test_the_screen_is_a_usual_one_that_fits(site):
    for width, height in ((1280, 1024), (800, 600)):
        site.browser("argo", screen=Screen(width, height, 16))
    site.order(widths=[1280])
    answer = site.argo.poll()
    assert (answer["width"], answer["height"], answer["bpp"]) == (1280, 1024, 16)


def test_own_work_goes_first(site):
    site.order()
    own = site.factory("own", Role.ARTIST, account="ann2")
    site.browser("own")
    site.ann = account_named(site.farm, "ann2")
    later = site.order()
    assert own.poll()["request"] in site.task_ids(later)


def test_a_visit_must_come_from_the_browser_that_was_asked_for(site, picture):
    site.browser("argo", "Opera", "9.2", user_agent="Opera/9.20 (X11; Linux i686; U; en)")
    site.browser("argo", user_agent="Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.9) Gecko/2008061015 Firefox/3.0")
    job = site.order()
    request = site.argo.poll()["request"]
    wrong = site.argo.visit(request, "Opera/9.20 (X11; Linux i686; U; en)")
    assert wrong.status_code == 409
    assert "Requested browser Firefox but got Opera." in wrong.text
    with pytest.raises(Fault) as unseen:
        site.argo.upload(request, picture())
    assert code_of(unseen) == (406, "The browser has not visited the requested website.")
    unknown = site.argo.visit(request, "Lynx/2.8")
    assert (unknown.status_code, "Unknown user agent: Lynx/2.8." in unknown.text) == (404, True)
    assert site.argo.visit(request).status_code == 302
    assert len(site.argo.upload(request, picture())) == 32
    assert story(site.farm, TaskId(site.task_ids(job)[0])).leases[-1].figures["user_agent"].endswith("Firefox/3.0")


def test_an_update_of_the_browser_does_not_break_the_factory(site):
    site.order(browsers=["firefox"], widths=[1024, 800])
    new = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    assert site.argo.visit(site.argo.poll()["request"]).status_code == 302
    assert site.argo.visit(site.argo.poll()["request"], new).status_code == 302
    (browser,) = view_factory(site.farm, "argo").browsers
    assert (browser.program.version, browser.program.user_agent) == ("128.0", new)


def test_an_update_beyond_the_version_asked_for_is_kept_and_the_request_refused(site):
    site.order(browsers=[{"name": "firefox", "version": "3.0"}])
    new = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    refused = site.argo.visit(site.argo.poll()["request"], new)
    assert refused.status_code == 409
    assert "Requested browser version 3.0 but got 128.0." in refused.text
    assert view_factory(site.farm, "argo").browsers[0].program.version == "128.0"


def test_the_same_redirect_may_be_loaded_again_for_some_minutes(site):
    site.order()
    request, encrypted = site.argo.poll()["request"], site.argo.encrypted()
    assert site.argo.visit(request, encrypted=encrypted).status_code == 302
    assert site.argo.visit(request, encrypted=encrypted).status_code == 302
    site.clock.now += 601
    assert site.argo.visit(request, encrypted=encrypted).status_code == 401


@pytest.mark.parametrize(("name", "request_id", "status"), [("nemo", 1, 404), ("argo", 4711, 404), ("argo", 0, 404)])
def test_a_redirect_that_leads_nowhere_is_a_page_with_an_error(site, name, request_id, status):
    answer = site.http.get(f"/redirect/{name}/{site.argo.encrypted()}/{request_id}/")
    assert answer.status_code == status
    assert "admonition error" in answer.text


def test_a_redirect_without_a_user_agent_or_with_a_wrong_password_is_refused(site):
    site.order()
    request = site.argo.poll()["request"]
    assert site.argo.visit(request, encrypted="0" * 32).status_code == 401
    site.http.headers.clear()
    assert site.http.get(f"/redirect/argo/{site.argo.encrypted()}/{request}/").status_code == 400
    assert site.http.get(f"/redirect/argo/x/{request}").headers["location"] == f"/redirect/argo/x/{request}/"


def test_a_request_that_nobody_locked_or_somebody_else_did_is_refused(site, picture):
    job = site.order()
    (task_id,) = site.task_ids(job)
    with pytest.raises(Fault) as free:
        site.argo.upload(task_id, picture())
    assert code_of(free) == (409, f"Request {task_id} was not locked.")
    assert site.argo.visit(task_id).status_code == 409
    other = site.factory("other")
    site.browser("other")
    site.argo.poll()
    with pytest.raises(Fault) as taken:
        other.upload(task_id, picture())
    assert code_of(taken) == (423, f"Request {task_id} was locked by factory argo.")
    assert other.visit(task_id).status_code == 423


def test_an_unknown_request_cannot_be_uploaded(site, picture):
    with pytest.raises(Fault) as unknown:
        site.argo.upload(4711, picture())
    assert code_of(unknown) == (404, "Request not found with pk=4711.")


def test_a_late_upload_counts_while_nobody_else_has_the_request(site, picture):
    site.order()
    request = site.argo.poll()["request"]
    site.argo.visit(request)
    site.clock.now += 400
    expire_leases(site.farm)
    assert len(site.argo.upload(str(request), picture())) == 32


def test_the_same_upload_again_has_the_same_name(site, picture):
    site.order()
    request = site.argo.poll()["request"]
    site.argo.visit(request)
    assert site.argo.upload(request, picture()) == site.argo.upload(request, picture())
    with pytest.raises(Fault) as second:
        site.argo.upload(request, picture(1))
    assert second.value.faultCode == 423


def test_no_screenshot_is_taken_in_without_its_name(site, picture, monkeypatch):
    site.order()
    request = site.argo.poll()["request"]
    site.argo.visit(request)
    with monkeypatch.context() as patch:
        patch.setattr(visits, "add_screenshot", broken)
        with pytest.raises(AssertionError, match="<int>503</int>"):
            site.argo.upload(request, picture())
    assert story(site.farm, TaskId(request)).task.results == ()
    assert balances(site.farm)["argo-owner"] == 0
    assert len(site.argo.upload(request, picture())) == 32


def broken(*_: object) -> None:
    raise StoreUnavailable


@pytest.mark.parametrize(
    ("width", "height", "code", "words"),
    [
        (1000, 768, 412, "The screenshot is 1000 pixels wide, not 1024 as requested."),
        (1024, 4104, 413, "The screenshot is too tall (more than 4 times the width)."),
        (1024, 504, 414, "The screenshot is too short (less than half the width)."),
    ],
)
def test_a_picture_of_another_shape_is_refused(site, picture, width, height, code, words):
    site.order()
    request = site.argo.poll()["request"]
    site.argo.visit(request)
    with pytest.raises(Fault) as refused:
        site.argo.upload(request, picture(0, width, height))
    assert code_of(refused) == (code, words)


def test_of_all_that_is_wrong_with_an_upload_the_old_order_tells_the_first(site, picture):
    def code_for(request, png):
        with pytest.raises(Fault) as refused:
            site.argo.upload(request, png)
        return refused.value.faultCode

    garbage = b"x" * 999
    assert code_for(4711, garbage) == 404
    for png, code in ((garbage, 415), (picture(0, 1280, 5200), 412), (picture(0, 1024, 4104), 413)):
        site.order()
        request = site.argo.poll()["request"]
        assert code_for(request, png) == 406
        assert site.argo.visit(request).status_code == 302
        assert code_for(request, png) == code
        site.clock.now += 601  # a refused picture blocks its browser


@pytest.mark.parametrize("broken", ["garbage", "empty", "cut", "jpeg"])
def test_what_is_no_png_is_refused(site, picture, broken):
    jpeg = io.BytesIO()
    Image.open(io.BytesIO(picture())).save(jpeg, "JPEG")
    sent = {"garbage": b"x" * 999, "empty": b"", "cut": picture()[:-500], "jpeg": jpeg.getvalue()}[broken]
    site.order()
    request = site.argo.poll()["request"]
    site.argo.visit(request)
    with pytest.raises(Fault) as refused:
        site.argo.upload(request, sent)
    assert refused.value.faultCode == 415
    assert refused.value.faultString.startswith("Could not decode uploaded PNG file (hashkey ")


def test_errors_block_a_browser_for_ten_minutes(site, picture):
    site.order(widths=[1024, 800])
    request = site.argo.poll()["request"]
    site.argo.visit(request)
    with pytest.raises(Fault):
        site.argo.upload(request, picture(0, 808, 608))
    with pytest.raises(Fault) as blocked:
        site.argo.poll()
    assert code_of(blocked) == (204, "All active browsers on argo are temporarily blocked because of errors.")
    site.clock.now += 601
    assert site.argo.poll()["request"]


def test_a_throttled_factory_waits(tmp_path, inspector, new_site):
    with new_site(tmp_path / "data", inspector, browsershots_throttle_s=30) as site:
        site.order(widths=[1024, 800])
        site.argo.shoot()
        with pytest.raises(Fault) as throttled:
            site.argo.poll()
        assert throttled.value.faultCode == 205
        site.clock.now += 30
        assert site.argo.poll()["request"]


def test_an_overloaded_server_answers_503_and_still_xml_rpc(tmp_path, inspector, new_site):
    with new_site(tmp_path / "data", inspector, browsershots_load_limit=1e-9) as site:
        body = xmlrpc.client.dumps(("argo", site.argo.encrypted()), "requests.poll")
        answer = site.http.post("/xmlrpc/", content=body)
        assert answer.status_code == 503
        with pytest.raises(Fault) as overloaded:
            xmlrpc.client.loads(answer.content)
        assert overloaded.value.faultCode == 503


@pytest.mark.parametrize(
    "body",
    [b"hello", b"<methodCall>", b"<methodResponse/>", b"<!DOCTYPE x><methodCall/>", b"\x00\xff", b"<a/>" * 1000],
)
def test_whatever_is_posted_the_answer_is_xml_rpc(site, body):
    answer = site.http.post("/xmlrpc/", content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    with pytest.raises(Fault) as refused:
        xmlrpc.client.loads(answer.content)
    assert refused.value.faultCode == 400
    assert refused.value.faultString.startswith("XML parser error: ")


def test_a_wrong_number_or_type_of_arguments_is_a_fault(site):
    for params in ((), ("argo", "x", 1), ("argo", 7), (["argo"], "x")):
        with pytest.raises(Fault):
            site.argo.call("requests.poll", *params)
    with pytest.raises(Fault):
        site.argo.call("screenshots.upload", "argo", site.argo.encrypted(), 1, "no file")


def test_an_empty_post_and_a_get_explain_the_methods(site):
    for answer in (site.http.post("/xmlrpc/"), site.http.get("/xmlrpc/")):
        assert answer.status_code == 200
        assert "XML-RPC Methods" in answer.text
        assert 'href="requests.poll/"' in answer.text
    page = site.http.get("/xmlrpc/requests.poll/").text
    assert "requests.poll(string, string) =&gt; dict" in page
    assert site.http.get("/xmlrpc/no.such/").status_code == 404
    assert site.http.get("/xmlrpc").headers["location"] == "/xmlrpc/"
    assert site.http.get("/xmlrpc/requests.poll").headers["location"] == "/xmlrpc/requests.poll/"
    assert site.http.post("/xmlrpc/requests.poll/").status_code == 405


def test_the_server_tells_of_itself(site):
    names = site.argo.call("system.listMethods")
    assert len(names) == 14
    assert names == sorted(names)
    assert site.argo.call("system.methodSignature", "requests.poll") == [["dict", "string", "string"]]
    assert site.argo.call("system.methodSignature", "no") == "method not found"
    assert "nonce" in site.argo.call("system.methodHelp", "nonces.challenge")


def test_a_multicall_has_an_answer_or_a_fault_for_each_call(site):
    calls = [
        {"methodName": "system.listMethods", "params": []},
        {"methodName": "nonces.challenge", "params": ["nemo"]},
        {"methodName": "nonces.challenge", "params": ["argo"]},
    ]
    first, second, third = site.argo.call("system.multicall", calls)
    assert len(first[0]) == 14
    assert second == {"faultCode": 404, "faultString": "Factory not found with name=nemo."}
    assert third[0]["algorithm"] == "sha1"


def test_active_browsers_are_those_of_factories_that_polled_of_late(site):
    assert site.argo.call("browsers.active") == []
    with pytest.raises(Fault):
        site.argo.poll()
    assert site.argo.call("browsers.active") == ["linux_firefox_3_0"]
    assert "'Firefox'" in site.argo.call("factories.features", "argo")
    site.clock.now += 601
    assert site.argo.call("browsers.active") == []


def submitter(site) -> Any:
    return site.factory("desk", Role.ARTIST, account="bob")


def submit(desk: Any, *params: Any) -> Any:
    told = desk.call("nonces.challengeUser", "bob")
    inner = hashlib.sha1((told["salt"] + desk.password).encode()).hexdigest()
    return desk.call("requests.submit", "bob", hashlib.md5((inner + told["nonce"]).encode()).hexdigest(), *params)


def test_an_order_by_xml_rpc_is_followed_to_its_picture(site, picture):
    desk = submitter(site)
    names = ["linux_firefox_3_0", "linux_firefox_3_0", "amiga_voyager_1_0", "linux_opera_None_None", "nonsense"]
    group = submit(desk, "http://127.0.0.1/page.html", names)
    firefox, opera = desk.call("requests.status", group)
    assert firefox == {"browser": "linux_firefox_3_0", "status": "pending", "seconds": 0, "hashkey": ""}
    assert opera["browser"] == "linux_opera_None_None"
    site.clock.now += 10
    request = site.argo.poll()["request"]
    assert desk.call("requests.status", group)[0]["status"] == "starting"
    assert desk.call("requests.status", group)[0]["seconds"] == 70
    site.clock.now += 5
    site.argo.visit(request)
    assert desk.call("requests.status", group)[0] == firefox | {"status": "loading", "seconds": 60}
    site.clock.now += 20
    hashkey = site.argo.upload(request, picture())
    assert desk.call("requests.status", group)[0] == firefox | {
        "status": "uploaded", "seconds": 35, "hashkey": hashkey}  # fmt: skip
    assert view_factory(site.farm, "argo").queue_estimate_s == 35


def test_an_order_by_xml_rpc_expires_after_half_an_hour(site):
    desk = submitter(site)
    group = submit(desk, "http://127.0.0.1/page.html", ["linux_firefox_3_0"])
    site.clock.now += 1801
    with pytest.raises(Fault) as idle:
        site.argo.poll()
    assert idle.value.faultCode == 204
    assert desk.call("requests.status", group)[0]["status"] == "failed"


def test_a_key_for_work_cannot_order(site):
    worker = site.factory("mule", Role.VOLUNTEER, account="bob")
    with pytest.raises(Fault) as refused:
        submit(worker, "http://127.0.0.1/", ["linux_firefox_3_0"])
    assert refused.value.faultCode == 403


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://10.0.0.1/", "http://[::ffff:10.0.0.1]/", "nonsense"])
def test_a_page_that_may_not_be_visited_cannot_be_ordered(site, url):
    with pytest.raises(Fault):
        submit(submitter(site), url, ["linux_firefox_3_0"])


def test_a_name_that_leads_elsewhere_by_the_time_of_the_visit_ends_the_lease(site, picture, monkeypatch):
    leads_to = ["127.0.0.1"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, **_: [(2, 1, 6, "", (leads_to[0], port))])
    job = site.order(url="http://rebind.example/")
    request = site.argo.poll()["request"]
    leads_to[0] = "169.254.169.254"
    refused = site.argo.visit(request)
    assert refused.status_code == 403
    assert "which is no public address" in refused.text
    assert story(site.farm, TaskId(site.task_ids(job)[0])).task.leases[-1].state is LeaseState.FAILED
    with pytest.raises(Fault):
        site.argo.upload(request, picture())


def test_our_own_error_page_is_known_again_in_a_screenshot(site):
    job = site.order()
    request = site.argo.poll()["request"]
    assert site.argo.visit(request).status_code == 302
    page = site.argo.visit(request, encrypted="0" * 32).text
    colours = [tuple(map(int, found)) for found in re.findall(r"background:rgb\((\d+),(\d+),(\d+)\)", page)]
    image = Image.open(io.BytesIO(paint_page()))
    for place, colour in enumerate(colours):
        image.paste(colour, (40 + 24 * place, 300, 64 + 24 * place, 324))
    shot = io.BytesIO()
    image.save(shot, "PNG")
    with pytest.raises(Fault) as refused:
        site.argo.upload(request, shot.getvalue())
    assert code_of(refused) == (672, "The browser is still on the redirect.")
    assert story(site.farm, TaskId(site.task_ids(job)[0])).task.state is TaskState.OPEN


def paint_page() -> bytes:
    target = io.BytesIO()
    image = Image.new("RGB", (1024, 768), "white")
    image.paste((20, 20, 20), (40, 200, 400, 230))
    image.save(target, "PNG")
    return target.getvalue()


def test_a_browser_s_own_page_of_an_error_is_refused_with_the_old_number(site):
    site.order()
    with pytest.raises(Fault) as refused:
        site.argo.shoot((ERROR_PAGES / "firefox-refused-1024.png").read_bytes())
    assert code_of(refused) == (673, "The connection failed.")


def test_a_blank_picture_is_refused_until_somebody_else_makes_the_same(site):
    blank = io.BytesIO()
    Image.new("RGB", (1024, 768), "white").save(blank, "PNG")
    site.order()
    request = site.argo.poll()["request"]
    site.argo.visit(request)
    with pytest.raises(Fault) as refused:
        site.argo.upload(request, blank.getvalue())
    assert code_of(refused) == (701, "The picture is blank.")
    other = site.factory("other")
    site.browser("other")
    assert other.poll()["request"] == request
    other.visit(request)
    assert len(other.upload(request, blank.getvalue())) == 32


def test_a_call_may_be_sent_again_with_a_new_nonce_after_its_answer_was_lost(site, picture):
    site.order()
    request = site.argo.poll()["request"]
    site.argo.visit(request)
    encrypted = site.argo.encrypted()
    first = site.argo.call("screenshots.upload", "argo", encrypted, request, Binary(picture()))
    with pytest.raises(Fault) as lost:
        site.argo.call("screenshots.upload", "argo", encrypted, request, Binary(picture()))
    assert lost.value.faultCode == 401
    assert site.argo.upload(request, picture()) == first


def test_a_key_in_the_place_of_a_name_reaches_no_log(site, caplog):
    caplog.set_level("INFO", "sheepfold")
    for method in ("nonces.challenge", "nonces.challengeUser", "factories.features", site.argo.password):
        with pytest.raises(Fault):
            site.argo.call(method, site.argo.password)
    assert site.http.get(f"/redirect/{site.argo.password}/none/1/").status_code == 404
    assert caplog.text.count("fault=404") == 5
    assert site.argo.password not in caplog.text
