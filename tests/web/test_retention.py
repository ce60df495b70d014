"""Pages of what is kept for ever, and of what was cleared."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from playwright.sync_api import expect

from sheepfold.farm.accounts import add_account
from sheepfold.farm.browse import view_job
from sheepfold.farm.chores import do_next_chore
from sheepfold.farm.retention import Retention
from sheepfold.model.accounts import Role
from sheepfold.store import flock as flock_rows


def three_days_later(site):
    """Let three days pass in a farm that keeps pictures for one."""
    farm = replace(site.farm, settings=replace(site.farm.settings, keep_days=1),
                   now=lambda: site.farm.now() + 3 * 86_400)
    keeper = Retention(farm)
    with ThreadPoolExecutor(1) as executor:
        for _ in range(6):
            keeper.step()
            do_next_chore(farm, executor)


def made(site, title):
    """Have a sheep made, filmed and retired."""
    job = site.order(title, frames=1)
    site.paint_all()
    site.keep_house()
    assert site.farm.db.write(lambda tx: flock_rows.retire(tx, job.id, site.farm.now()))
    return job


def test_who_keeps_a_job_for_ever_sees_its_pictures_when_others_are_cleared(site, look, axe):
    kept, other = made(site, "Coral"), made(site, "Kelp")
    page = look(f"/jobs/{kept.id}", account=site.artist)
    page.get_by_role("button", name="Keep it for ever").click()
    expect(page.locator(".facts")).to_contain_text("kept for ever")
    three_days_later(site)
    tasks = {job.id: view_job(site.farm, job.id).tasks[0].id for job in (kept, other)}
    assert site.http.get(f"/pictures/{tasks[kept.id]}").status_code == 200
    refused = site.http.get(f"/pictures/{tasks[other.id]}")
    assert refused.status_code == 410
    assert f"The pictures and files of job {other.id} were cleared on" in refused.text
    assert site.http.get(f"/previews/{tasks[other.id]}.jpg").status_code == 200
    page.goto(f"{site.url}/jobs/{other.id}")
    expect(page.locator("#head")).to_contain_text("Its pictures were cleared")
    expect(page.get_by_role("link", name="All frames as a zip")).to_have_count(0)
    expect(page.get_by_role("button", name="Keep it for ever")).to_have_count(0)
    assert axe(page) == []
    page.goto(f"{site.url}/tasks/{tasks[other.id]}")
    expect(page.locator("figure img")).to_have_attribute("src", f"/previews/{tasks[other.id]}.jpg")
    expect(page.locator("figcaption")).to_contain_text("the farm cleared it")
    expect(page.get_by_role("button", name="Render this frame again")).to_have_count(0)
    assert axe(page) == []


def test_the_owner_sees_what_lies_on_the_disk_and_what_is_cleared_next(site, look, axe):
    made(site, "Coral")
    page = look("/owner", account=site.artist)
    expect(page.get_by_role("region", name="Storage")).to_contain_text("Originals")
    expect(page.locator("main")).to_contain_text("Everything is kept for ever")
    settings = site.farm.settings
    try:
        object.__setattr__(settings, "keep_days", 7)
        page.reload()
        expect(page.get_by_role("region", name="Cleared next")).to_contain_text("Coral")
        assert axe(page) == []
    finally:
        object.__setattr__(settings, "keep_days", 0)


def test_others_keep_nothing_of_a_job(site):
    job = made(site, "Coral")
    rex = add_account(site.farm, "rex", Role.ARTIST, "")
    assert site.post(f"/jobs/{job.id}/keep", keep="yes").status_code == 401
    assert site.post(f"/jobs/{job.id}/keep", site.cookie(rex), keep="yes").status_code == 403
    assert view_job(site.farm, job.id).job.kept_at is None
