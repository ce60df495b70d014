"""Browsershots' pages for people: pictures in their sizes, the wall, and who sees a private order's."""

import io
from xmlrpc.client import Fault

import pytest
from PIL import Image

from sheepfold.farm.accounts import add_account
from sheepfold.farm.people import open_web_session
from sheepfold.farm.sight import set_private, share_job
from sheepfold.model.accounts import Account, Role
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
