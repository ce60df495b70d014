"""Ordering on the pages, in a real browser, with real genomes and a real look at them."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from sheepfold.farm.accounts import add_account
from sheepfold.farm.browse import list_jobs, view_job
from sheepfold.model.accounts import Role

GENOMES = Path(__file__).parents[1] / "genomes"


def test_a_genome_is_looked_at_appraised_and_ordered(site, look, axe):
    page = look("/order", account=site.artist)
    assert axe(page) == []
    page.get_by_role("heading", name="A sheep for the flock").click()
    page.set_input_files("[name=genome]", GENOMES / "r1.flam3")
    canvas = page.get_by_role("img", name="A quick look at the genome")
    expect(canvas).to_be_visible()
    lit = canvas.evaluate(
        "c => c.getContext('2d').getImageData(0, 0, 320, 240).data.some((v, n) => n % 4 < 3 && v > 60)")
    assert lit is True
    page.get_by_label("Frames").fill("3")
    page.get_by_label("Width").fill("96")
    page.get_by_label("Height").fill("72")
    page.get_by_label("Title").fill("Coral")
    page.get_by_role("button", name="Look at it first").click()
    expect(page.locator("#appraised")).to_contain_text("Pictures")
    expect(page.locator("#appraised dd").first).to_have_text("3")
    assert list_jobs(site.farm) == []
    assert axe(page) == []
    page.get_by_role("button", name="Order it").click()
    expect(page.locator("h1")).to_have_text("Coral")
    view = view_job(site.farm, list_jobs(site.farm)[0].id)
    assert (len(view.tasks), view.account, view.job.spec["width"]) == (3, "bella", 96)


def test_what_is_no_genome_is_told_in_a_sentence(site, look, tmp_path):
    page = look("/order/flame", account=site.artist)
    (tmp_path / "no.flam3").write_text("this is a letter")
    page.set_input_files("[name=genome]", tmp_path / "no.flam3")
    page.get_by_role("button", name="Order it").click()
    expect(page.get_by_role("alert")).to_contain_text("genome")
    assert list_jobs(site.farm) == []


def test_screenshots_are_ordered_of_chosen_browsers(site, look, axe):
    page = look("/order/screenshot", account=site.artist)
    assert axe(page) == []
    page.get_by_label("Address").fill("http://127.0.0.1/")
    page.get_by_role("button", name="Order it").click()
    expect(page.get_by_role("alert")).to_contain_text("127.0.0.1")


def test_a_blender_project_that_is_none_is_told_in_a_sentence(site, look, axe, tmp_path):
    page = look("/order/blender", account=site.artist)
    assert axe(page) == []
    (tmp_path / "scene.blend").write_bytes(b"this is no scene")
    page.set_input_files("[name=scene]", tmp_path / "scene.blend")
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_role("alert")).to_contain_text("neither a .blend file nor a zip")


@pytest.mark.parametrize("path", ["/order", "/order/flame", "/order/blender", "/order/screenshot"])
def test_volunteers_do_not_order(site, path):
    rex = add_account(site.farm, "rex", Role.VOLUNTEER, "")
    cookie = {"Cookie": f"sheepfold_web={site.cookie(rex)}"}
    assert site.http.get(path, headers=cookie).status_code == 403
    assert site.http.get(path).headers["location"].startswith("/sign-in")
    for deed in ("", "/check"):
        if path.count("/") == 2:
            assert site.post(path + deed, site.cookie(rex)).status_code == 403
            assert site.post(path + deed).status_code == 401
