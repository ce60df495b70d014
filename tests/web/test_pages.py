"""The pages for people, in a real browser."""

import re

import pytest
from playwright.sync_api import expect

HUGE = "9" * 5000


def job_card(page, job):
    return page.locator(f"#job-{job.id}")


def test_an_empty_farm_says_how_to_begin(look):
    page = look()
    expect(page.locator("h1")).to_have_text("Contact sheet")
    expect(page.locator(".empty")).to_contain_text("sheepfold order flame")


def test_the_sheet_shows_each_job_with_its_frames_and_where_it_stands(site, look):
    first, second = site.order("Coral"), site.order("Ember", "r2.flam3", frames=2)
    page = look()
    expect(page.locator("article.job h2")).to_have_text(["Ember", "Coral"])
    expect(job_card(page, first).locator(".state")).to_contain_text("0 of 4 · running")
    expect(job_card(page, second).locator(".facts")).to_contain_text("sheep 1.2 (loop)")


def test_a_preview_appears_without_a_reload(site, look, until):
    job = site.order("Coral")
    page = look()
    page.evaluate("window.isTheSamePage = true")
    order = site.claim()
    expect(page.locator("#now .work li")).to_contain_text("makes frame 0 of Coral")
    site.paint(order)
    site.keep_house()
    picture = job_card(page, job).locator(".lead img")
    expect(picture).to_have_count(1)
    expect(job_card(page, job).locator(".state")).to_contain_text("1 of 4")
    picture.scroll_into_view_if_needed()
    until(page, "document.querySelector('.lead img').naturalWidth > 0")
    expect(page.locator(".wall img")).to_have_count(1)
    page.evaluate("document.querySelector('.wall img').isTheFirst = true")
    site.paint(site.claim())
    site.keep_house()
    expect(page.locator(".wall img")).to_have_count(2)
    until(page, "[...document.querySelectorAll('.wall img')].map(one => !!one.isTheFirst).join() === 'false,true'")
    assert page.evaluate("window.isTheSamePage") is True


def test_a_new_job_appears_without_a_reload_and_on_top(site, look):
    site.order("Coral")
    page = look()
    site.order("Ember", "r2.flam3")
    expect(page.locator("article.job h2")).to_have_text(["Ember", "Coral"])


def test_the_first_job_replaces_the_words_for_an_empty_farm(site, look):
    page = look()
    expect(page.locator(".empty")).to_have_count(1)
    site.order("Coral")
    expect(page.locator("article.job")).to_have_count(1)
    expect(page.locator(".empty")).to_have_count(0)


def test_a_canceled_job_does_not_call_its_other_frames_failed(site, look):
    job = site.order("Gone")
    site.paint(site.claim())
    site.cancel(job)
    expect(job_card(look(), job).locator(".state")).to_have_text(re.compile(r"^\s*1 of 4\s+· canceled\s*$"))


def test_a_film_that_is_being_made_is_told_of(site, look):
    job = site.order("Coral")
    site.paint_all()
    page = look()
    expect(job_card(page, job).locator(".state")).to_contain_text("4 of 4 · done, being put together")
    site.keep_house()
    expect(job_card(page, job).locator(".state")).not_to_contain_text("being put together")


def test_a_film_can_be_played_once_it_is_made(site, look, until):
    job = site.order("Coral")
    page = look()
    expect(page.locator("video")).to_have_count(0)
    site.paint_all()
    site.keep_house()
    film = job_card(page, job).locator("video")
    expect(film).to_have_count(1)
    expect(job_card(page, job).locator(".state")).to_contain_text("4 of 4 · done")
    page.goto(page.url + f"jobs/{job.id}")
    film = page.locator("#head video")
    until(page, "document.querySelector('video').readyState >= 1")
    assert film.evaluate("film => [film.videoWidth, film.videoHeight]") == [96, 72]
    names = page.locator(".products a").all_inner_texts()
    assert {"film.avi", "film.mp4"} <= set(names)


def test_a_film_that_plays_goes_on_when_its_job_is_told_of_again(site, look):
    job = site.order("Coral")
    site.paint_all()
    site.keep_house()
    page = look()
    film = job_card(page, job).locator("video")
    film.evaluate("film => { film.isTheSame = true; }")
    site.http.get("/cgi/vote.cgi?id=1&vote=1&u=AB")
    expect(job_card(page, job).locator(".facts")).to_contain_text("rated 1")
    assert film.evaluate("film => film.isTheSame") is True


def test_a_picture_opens_at_full_size(site, look):
    job = site.order("Coral", frames=1)
    site.paint_all()
    site.keep_house()
    page = look(f"/jobs/{job.id}")
    page.locator(".frames a").click()
    page.locator(".large a").first.click()
    page.wait_for_url(re.compile(r"/pictures/\d+$"))
    assert page.evaluate("document.images[0].naturalWidth") == 96


def test_a_title_is_text_whatever_it_holds(site, look):
    job = site.order("<script>window.isTaken = 1</script><img src=x onerror=alert(1)>")
    page = look()
    expect(job_card(page, job).locator("h2")).to_contain_text("<script>")
    assert page.evaluate("window.isTaken") is None
    assert page.locator("h2 img").count() == 0


def test_every_page_forbids_what_it_does_not_need(site):
    site.order("Coral", frames=1)
    for path in ("/", "/fragments/jobs/1000", "/fragments/jobs/7", "/jobs/1000", "/tasks/1", "/sign-in", "/sign-up"):
        headers = site.http.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_a_strangers_picture_is_served_as_what_it_is(site):
    site.order("Coral", frames=1)
    site.paint_all()
    site.keep_house()
    for path, media_type in (("/pictures/1", "image/png"), ("/previews/1.jpg", "image/jpeg")):
        answer = site.http.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [
    "/fragments/jobs/7", "/previews/7.jpg", "/pictures/7", "/products/7/film.mp4", "/products/7/..%2fsecret",
    "/pictures/-1", "/pictures/x", f"/pictures/{HUGE}", f"/fragments/jobs/{HUGE}", f"/products/{HUGE}/film.mp4",
    f"/previews/{HUGE}.jpg", f"/pictures/{2**63}", "/static/../pages.py", "/static/nothing.css", "/static/",
    "/pictures/٣", "/nothing", "/fragments/jobs/7/",
])
def test_what_there_is_not_is_404(site, path):
    assert site.http.get(path, follow_redirects=False).status_code == 404


def test_a_missing_page_leads_back(site, look):
    page = look("/products/77/film.mp4")
    expect(page.locator("h1")).to_have_text("Not here")
    page.get_by_role("link", name="Back to the wall").click()
    expect(page.locator("h1")).to_have_text("Contact sheet")


def test_the_keyboard_shows_where_it_is(site, look):
    site.order("Coral", frames=2)
    site.paint_all()
    site.keep_house()
    page = look()
    for _ in range(12):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        width = page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
        assert (outline, width >= 2) == ("solid", True), page.evaluate("document.activeElement.outerHTML")


def test_a_page_fits_its_screen(site, look):
    site.order("A title of many words, and a verylongwordwithoutanyspaceinitthatmustbebrokensomewhere" * 2, frames=9)
    site.paint_all()
    site.keep_house()
    page = look("/")
    expect(page.locator("video")).to_have_count(1)
    for width in (360, 768, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for element in page.locator("h2, progress, video, .frames, .wall").all():
            box = element.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width


def contrast(page, selector):
    """Return the contrast of a text with the ground behind it, as WCAG 2 computes it."""
    return page.evaluate("""selector => {
        const lightness = (color) => {
            const parts = color.match(/[\\d.]+/g).slice(0, 3).map(Number).map((v) => v / 255)
                .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
        };
        const element = document.querySelector(selector);
        let ground = element;
        while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
        const pair = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor].map(lightness);
        return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    }""", selector)


def test_every_text_can_be_read_by_day_and_by_night(site, look):
    site.order("Coral", frames=12)
    site.order("Ember", "r2.flam3", frames=6)
    site.order("Coral to Ember", "r1.flam3", "r2.flam3", frames=8, shape="edge")
    site.paint_all()
    site.keep_house()
    gone = site.order("Gone", "r3.flam3", frames=5)
    site.paint(site.claim())
    site.keep_house()
    site.cancel(gone)
    site.order("Under way", "r3.flam3", frames=7)
    site.claim()
    page = look("/")
    expect(page.locator("video")).to_have_count(3)
    selectors = ["h1", "h2", ".facts", ".state.done", ".state.running", ".state.canceled", "nav a", ".figures dt"]
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert {selector: round(contrast(page, selector), 1) for selector in selectors
                if contrast(page, selector) < 4.5} == {}, scheme
