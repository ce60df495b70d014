"""Ordering on the pages, in a real browser, with real genomes and a real look at them."""

import json
import zipfile
from pathlib import Path

from playwright.sync_api import expect
from tests.web.keyboard import tab_to

from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.browse import list_jobs, view_job
from sheepfold.farm.browsers import add_browser
from sheepfold.model.accounts import Role
from sheepfold.model.browsers import BrowserProgram, Screen
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.rest.client import RestLink
from sheepfold.store import accounts as account_rows
from sheepfold.store import browsers as browser_rows

GENOMES = Path(__file__).parents[1] / "genomes"
PASSWORD = "a password of a test"


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


def test_a_sheep_is_ordered_without_a_mouse(site, look):
    add_account(site.farm, "ida", Role.ARTIST, PASSWORD)
    page = look("/order")
    tab_to(page, "Name")
    page.keyboard.type("ida")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("What shall the farm make?")
    tab_to(page, "A sheep for the flock")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("A sheep for the flock")
    tab_to(page, "The genome: drop")
    page.locator("input:focus").set_input_files(GENOMES / "r1.flam3")
    tab_to(page, "Frames")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("3")
    tab_to(page, "Look at it first")
    page.keyboard.press("Enter")
    expect(page.locator("#appraised dd").first).to_have_text("3")
    expect(page.get_by_role("button", name="Look at it first")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("r1")
    assert [(job.title, job.progress.total) for job in list_jobs(site.farm)] == [("r1", 3)]


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
    page.get_by_role("button", name="Order it").click()
    expect(page.get_by_role("alert")).to_have_text("Address is missing.")
    expect(page.get_by_label("Address")).to_be_focused()
    expect(page.locator("#nobody")).to_contain_text("your pictures wait")
    page.get_by_label("Address").fill("http://127.0.0.1/")
    page.get_by_role("button", name="Order it").click()
    expect(page.get_by_role("alert")).to_contain_text("127.0.0.1")


def test_browsers_alive_are_offered_by_platform_with_their_engines_and_sizes(site, look, axe):
    farm = site.farm
    for name, sizes in (("shed", ((800, 600), (1152, 864))), ("barn", ())):
        link = RestLink(site.url, add_key(farm, "bella", name).key, "test/1")
        link.open(Abilities(frozenset({"screenshot"}), browsers=frozenset({Program("firefox", "128.0")}),
                            platform="linux", sizes=frozenset(sizes)))
    add_key(farm, "bella", "attic")
    add_browser(farm, site.artist, "attic", BrowserProgram("MSIE", "6.0"), "windows", Screen(800, 600, 24))
    attic = farm.db.read(lambda tx: account_rows.machine_named(tx, "attic"))
    farm.db.write(lambda tx: browser_rows.note_poll(tx, attic.id, farm.now()))
    page = look("/order/screenshot", account=site.artist)
    linux, windows = page.get_by_role("group", name="On Linux"), page.get_by_role("group", name="On Windows")
    expect(linux).to_contain_text("Firefox 128.0 Gecko; any size; 2 machines")
    expect(windows).to_contain_text("Trident; 800 × 600; 1 machine")
    expect(page.locator("#nobody")).to_have_count(0)
    expect(page.get_by_label("1152", exact=True)).to_have_count(0)  # who makes any size names none
    assert axe(page) == []
    page.get_by_label("Address").fill("http://93.184.215.14/")
    windows.get_by_role("checkbox").uncheck()
    page.get_by_role("group", name="On any platform").get_by_label("Chromium").check()
    page.get_by_label("800", exact=True).check()
    page.get_by_label("Others, with commas").fill("801, 1024")
    page.get_by_label("Others, with commas").press("Tab")
    expect(page.locator("#appraised dd").first).to_have_text("6")  # two browsers at 800, 801 and 1024
    expect(page.locator("#appraised")).to_contain_text("3 of 6 pictures wait until a machine comes that makes them: "
                                                       "Chromium on any platform, 800 wide")


def test_a_blender_project_that_is_none_is_told_in_a_sentence(site, look, axe, tmp_path):
    page = look("/order/blender", account=site.artist)
    assert axe(page) == []
    (tmp_path / "scene.blend").write_bytes(b"this is no scene")
    page.set_input_files("[name=scene]", tmp_path / "scene.blend")
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_role("alert")).to_contain_text("neither a .blend file nor a zip")


def test_a_zip_of_several_scenes_offers_them_by_name(site, look, axe, tmp_path, monkeypatch):
    monkeypatch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")
    with zipfile.ZipFile(tmp_path / "film.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = b"a film of sheep"
        for name in ("scenes/wolf.blend", "wool.png", "羊.BLEND", "__MACOSX/scenes/._wolf.blend"):
            archive.writestr(name, b"BLENDER-v405")
    page = look("/order/blender", account=site.artist)
    page.set_input_files("[name=scene]", tmp_path / "film.zip")
    expect(page.get_by_role("alert")).to_contain_text("choose one with main: 'scenes/wolf.blend', '羊.BLEND'")
    offered = page.locator("#scenes option")
    expect(offered).to_have_count(2)
    assert [option.get_attribute("value") for option in offered.all()] == ["scenes/wolf.blend", "羊.BLEND"]
    page.get_by_label("Main scene").fill(offered.nth(1).get_attribute("value"))
    page.keyboard.press("Tab")
    expect(page.locator("#appraised dd").first).to_have_text("1")
    expect(page.get_by_role("alert")).to_have_count(0)  # since it is hidden
    assert axe(page) == []
    page.get_by_role("button", name="Order it").click()
    expect(page.locator("h1")).to_have_text("film")
    assert view_job(site.farm, list_jobs(site.farm)[0].id).job.spec["main"] == "羊.BLEND"


def test_a_file_of_a_long_name_is_ordered(site, look, tmp_path, monkeypatch):
    monkeypatch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")
    scene = tmp_path / f"{'a fold of sheep, ' * 12}.blend"
    scene.write_bytes(b"BLENDER-v405")
    page = look("/order/blender", account=site.artist)
    page.set_input_files("[name=scene]", scene)
    expect(page.locator("#appraised dd").first).to_have_text("1")
    expect(page.locator("#scenes option")).to_have_count(0)
    page.get_by_role("button", name="Order it").click()
    expect(page.locator("h1")).to_contain_text("a fold of sheep")
    (name, _), = view_job(site.farm, list_jobs(site.farm)[0].id).job.inputs.items()
    assert name == f"{'a_fold_of_sheep__' * 12}.blend"[-80:].lstrip("_")


def test_a_sheep_is_ordered_while_its_sketch_is_still_being_made(site, look):
    page, waiting = look("/order/flame", account=site.artist), []

    def hold(route):
        waiting.append(route)

    page.route("**/order/flame/sketch", hold)
    page.get_by_label("Frames").fill("2")
    page.set_input_files("[name=genome]", GENOMES / "r1.flam3")
    page.get_by_role("button", name="Order it").click()
    expect(page.locator("h1")).to_have_text("r1")
    assert len(waiting) == 1


def test_a_large_file_is_sent_once_however_often_an_order_of_it_is_looked_at(site, look):
    page, sent = look("/order/flame", account=site.artist), []
    page.evaluate("document.getElementById('order').dataset.large = '10'")
    page.on("request", lambda request: sent.append((request.url.rpartition("/")[2], request.post_data or "")))
    page.get_by_label("Frames").fill("7")
    page.set_input_files("[name=genome]", GENOMES / "r1.flam3")
    expect(page.locator("#appraised dd").first).to_have_text("7")
    page.get_by_label("Frames").fill("0")
    page.keyboard.press("Tab")
    expect(page.get_by_role("alert")).to_contain_text("frames")
    page.get_by_label("Frames").fill("5")
    page.keyboard.press("Tab")
    expect(page.locator("#appraised dd").first).to_have_text("5")
    page.get_by_role("button", name="Order it").click()
    expect(page.locator("h1")).to_have_text("r1")
    assert list_jobs(site.farm)[0].progress.total == 5
    assert [what for what, _ in sent].count("files") == 1
    assert all("uploads" in body and "<flame" not in body for what, body in sent if what in {"check", "flame"})


def test_what_is_dropped_anywhere_is_told_of_without_asking(site, look):
    page = look("/order/flame", account=site.artist)
    page.get_by_label("Frames").fill("7")
    page.evaluate("""genome => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([genome], "a coral.flam3"));
        for (const type of ["dragover", "drop"])
            document.querySelector("footer").dispatchEvent(new DragEvent(type, {dataTransfer, bubbles: true}));
    }""", (GENOMES / "r1.flam3").read_text())
    expect(page.locator("#appraised dd").first).to_have_text("7")
    expect(page.get_by_label("Title")).to_have_attribute("placeholder", "a coral")
    page.get_by_label("Frames").fill("5")
    page.keyboard.press("Tab")
    expect(page.locator("#appraised dd").first).to_have_text("5")
    page.get_by_label("Frames").fill("0")
    page.keyboard.press("Tab")
    expect(page.get_by_role("alert")).to_contain_text("frames")
    assert list_jobs(site.farm) == []


def test_who_has_nothing_at_hand_orders_a_sample(site):
    answer = site.post("/order/flame/sample", site.cookie(), title="Coral")
    job = list_jobs(site.farm)[0]
    assert (answer.status_code, answer.headers["location"], job.title) == (303, f"/jobs/{job.id}", "Coral")
    assert site.post("/order/flame/sample", site.cookie(), title="Sculpture").status_code == 404
    assert site.post("/order/blender/sample", site.cookie(), title="Coral").status_code == 404
    assert site.post("/order/blender/sketch", site.cookie()).status_code == 422


def test_an_order_with_a_field_that_makes_no_sense_is_told_of(site):
    told = {"order": (None, json.dumps({"kind": "screenshot", "title": "a" * 121}))}
    headers = {"Origin": site.url, "Cookie": f"sheepfold_web={site.cookie()}"}
    for deed in ("", "/check", "/sketch"):
        answer = site.http.post(f"/order/screenshot{deed}", files=told, headers=headers)
        assert answer.status_code == 422
        assert "title: String should have at most 120 characters" in answer.text
