"""Browsershots' pages for people: pictures in their sizes, the wall, and who sees a private order's."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from xmlrpc.client import Fault

import httpx
import pytest
from PIL import Image
from tests.disks import small_disk

from sheepfold.blobs.local import LocalBlobs
from sheepfold.farm.accounts import add_account, find_customer
from sheepfold.farm.people import open_web_session
from sheepfold.farm.sight import set_private, share_job
from sheepfold.kinds.inspector import Inspector
from sheepfold.model.accounts import Account, Role
from sheepfold.model.jobs import JobId
from sheepfold.protocols.visitors import COOKIE, SHARES_COOKIE


def test_pictures_lie_where_they_always_did_in_three_sizes(site, picture):
    site.order()
    hashkey = site.argo.shoot(picture(0, 1024, 2880))
    for size, shape in (("original", (1024, 2880)), ("512", (512, 1440)), ("160", (160, 450))):
        answer = site.http.get(f"/png/{size}/{hashkey[:2]}/{hashkey}.png")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert Image.open(io.BytesIO(answer.content)).size == shape
    assert site.http.get(f"/png/original/{hashkey[:2]}/{hashkey}.png").content == picture(0, 1024, 2880)
    assert site.http.get(f"/png/320/{hashkey[:2]}/{hashkey}.png").status_code == 404
    assert site.http.get(f"/png/512/zz/{hashkey}.png").status_code == 404
    assert site.http.get("/png/512/00/" + "0" * 32 + ".png").status_code == 404


def test_a_smaller_picture_for_which_a_disk_has_no_room_is_made_when_there_is_some(site, picture):
    site.order()
    hashkey = site.argo.shoot(picture(0, 1024, 2880))
    path = f"/png/512/{hashkey[:2]}/{hashkey}.png"
    with small_disk(site.farm.spool_folder, "16k"):
        answer = site.http.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert site.http.get(path).status_code == 200


def test_a_smaller_picture_whose_original_goes_meanwhile_is_not_found(site, picture, monkeypatch):
    site.order()
    hashkey = site.argo.shoot(picture())
    local_path = LocalBlobs.local_path

    def gone(blobs, digest, folder):
        path = local_path(blobs, digest, folder)
        path.unlink()
        return path

    monkeypatch.setattr(LocalBlobs, "local_path", gone)
    answer = site.http.get(f"/png/512/{hashkey[:2]}/{hashkey}.png")
    assert (answer.status_code, "cleared just now" in answer.text) == (404, True)


def test_one_smaller_picture_that_many_ask_for_at_once_is_made_once(site, picture, monkeypatch):
    site.order()
    hashkey = site.argo.shoot(picture(0, 1024, 2880))
    shrunk, shrink = [], Inspector.shrink
    monkeypatch.setattr(Inspector, "shrink", lambda *asked: shrunk.append(asked) or shrink(*asked))
    with ThreadPoolExecutor(8) as visitors:
        paths = [f"/png/160/{hashkey[:2]}/{hashkey}.png"] * 16
        assert {answer.status_code for answer in visitors.map(site.http.get, paths)} == {200}
    assert 1 <= len(shrunk) <= 3  # by as many threads as make them


def test_pictures_are_asked_for_again_each_time_and_sent_once(site, picture):
    site.order()
    hashkey = site.argo.shoot(picture())
    for size in ("original", "512"):
        path = f"/png/{size}/{hashkey[:2]}/{hashkey}.png"
        first = site.http.get(path)
        again = site.http.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert first.headers["cache-control"] == again.headers["cache-control"] == "private, no-cache"


def test_a_private_order_is_made_as_any_and_seen_by_its_own_alone(site, picture):
    job = site.order()
    request = site.argo.poll()["request"]
    set_private(site.farm, site.ann, job.id, is_private=True)
    assert site.argo.visit(request).status_code == 302
    hashkey = site.argo.upload(request, picture())
    eve = add_account(site.farm, "eve", Role.ARTIST, "")
    lie_at = [f"/png/{size}/{hashkey[:2]}/{hashkey}.png" for size in ("original", "512", "160")]

    def shown(cookie: str = "") -> set[int]:
        paths = [f"/screenshots/{hashkey}/", *lie_at]
        return {site.http.get(path, headers={"Cookie": cookie}).status_code for path in paths}

    def signed_in(account: Account) -> str:
        return f"{COOKIE}={open_web_session(site.farm, account, 'a test')}"

    assert shown() == shown(signed_in(eve)) == shown(f"{SHARES_COOKIE}=nothing") == {404}
    assert shown(signed_in(site.ann)) == {200}
    assert shown(f"{SHARES_COOKIE}={share_job(site.farm, site.ann, job.id)}") == {200}
    assert hashkey not in site.http.get("/screenshots/", headers={"Cookie": signed_in(site.ann)}).text
    with pytest.raises(Fault) as hidden:
        site.argo.call("requests.status", job.id)
    assert (hidden.value.faultCode, hidden.value.faultString) == (404, "Request group not found.")
    set_private(site.farm, site.ann, job.id, is_private=False)
    assert shown() == {200}
    assert site.argo.call("requests.status", job.id)[0]["hashkey"] == hashkey


@pytest.mark.parametrize("changed", [{"visitors": False}])
def test_on_a_closed_farm_a_program_fetches_pictures_with_the_key_that_ordered_them(site):
    desk = site.factory("desk", Role.ARTIST, account="bob")
    told = desk.call("nonces.challengeUser", "bob")
    inner = hashlib.sha1((told["salt"] + desk.password).encode()).hexdigest()
    encrypted = hashlib.md5((inner + told["nonce"]).encode()).hexdigest()
    group = desk.call("requests.submit", "bob", encrypted, "http://127.0.0.1/page.html", ["linux_firefox_3_0"])
    site.argo.shoot()
    hashkey = desk.call("requests.status", group)[0]["hashkey"]
    paths = [f"/png/{size}/{hashkey[:2]}/{hashkey}.png" for size in ("original", "160")]

    def fetched(path: str, authorization: str) -> httpx.Response:
        return site.http.get(path, headers={"Authorization": authorization})

    assert [fetched(path, f"Bearer {desk.password}").status_code for path in paths] == [200, 200]
    assert fetched(f"/screenshots/{hashkey}/", f"bearer {desk.password}").status_code == 200
    for authorization in ("", "Bearer", "Bearer nothing", f"Basic {desk.password}", desk.password):
        refused = fetched(paths[0], authorization)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert "Authorization: Bearer KEY" in refused.text
        assert fetched(f"/screenshots/{hashkey}/", authorization).status_code == 303
    set_private(site.farm, find_customer(site.farm, "bob"), JobId(group), is_private=True)
    assert fetched(paths[0], f"Bearer {desk.password}").status_code == 200
    assert fetched(paths[0], f"Bearer {site.argo.password}").status_code == 404


def test_a_wrong_key_hides_nothing_from_who_sees_it_without_one(site):
    site.order()
    hashkey = site.argo.shoot()
    path = f"/png/original/{hashkey[:2]}/{hashkey}.png"
    assert site.http.get(path, headers={"Authorization": "Bearer nothing"}).status_code == 200


def test_pages_show_the_screenshots(site):
    assert "No screenshot has come in yet." in site.http.get("/screenshots/").text
    site.order(widths=[1024, 800])
    first, second = site.argo.shoot(), site.argo.shoot()
    wall = site.http.get("/screenshots/").text
    assert f'href="{first}/"' in wall
    page = site.http.get(f"/screenshots/{first}/").text
    assert "Firefox 3.0" in page
    assert f'href="../{second}/"' in page
    assert site.http.get("/screenshots/nothing/").status_code == 404
