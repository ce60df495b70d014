"""A job's page, in a real browser."""

import pytest
from playwright.sync_api import expect

from sheepfold.farm.accounts import add_account
from sheepfold.farm.browse import view_job
from sheepfold.model.accounts import Role
from sheepfold.model.jobs import JobState

MANY = 700


def test_frames_are_loaded_only_when_they_are_seen(site, look, axe):
    job = site.order("Long", frames=MANY)
    page = look(f"/jobs/{job.id}", width=390)
    expect(page.locator("#frames li")).to_have_count(MANY)
    expect(page.locator("#frames li").first.locator("a")).to_have_text("0")
    assert page.locator("#frames li a").count() <= 500
    page.locator("#frames li").last.scroll_into_view_if_needed()
    expect(page.locator("#frames li").last.locator("a")).to_have_text(str(MANY - 1))
    expect(page.locator("#frames li")).to_have_count(MANY)
    assert axe(page) == []


def test_a_job_s_page_lives(site, look):
    job = site.order("Coral")
    page = look(f"/jobs/{job.id}")
    expect(page.locator("#frames li a")).to_have_count(4)
    order = site.claim()
    expect(page.locator("#frames .busy")).to_have_count(1)
    site.paint(order)
    site.keep_house()
    expect(page.locator("#frames img")).to_have_count(1)
    expect(page.locator("#head .state")).to_contain_text("1 of 4 · running")
    expect(page.locator("#head figcaption")).to_have_text("The newest picture")


def test_a_frame_tells_its_story(site, look, axe):
    job = site.order("Coral", frames=3)
    site.paint_all()
    site.keep_house()
    page = look(f"/tasks/{view_job(site.farm, job.id).tasks[1].id}")
    expect(page.get_by_role("region", name="Leases")).to_contain_text("electricsheep")
    expect(page.get_by_role("region", name="Story")).to_contain_text("credit earned")
    assert axe(page) == []
    page.get_by_role("link", name="Frame after").click()
    expect(page.locator("h1")).to_contain_text("Frame 2 of Coral")
    expect(page.get_by_role("link", name="Frame after")).to_have_count(0)


def test_who_ordered_a_job_changes_its_priority_and_cancels_it(site, look):
    job = site.order("Coral")
    page = look(f"/jobs/{job.id}", account=site.artist)
    page.get_by_label("Priority").fill("7")
    page.get_by_role("button", name="Change").click()
    expect(page.locator(".facts")).to_contain_text("priority 7")
    assert site.claim() is not None
    page.get_by_role("button", name="Cancel this job").click()
    expect(page.locator("#head .state")).to_contain_text("canceled")
    assert view_job(site.farm, job.id).job.state is JobState.CANCELED


def test_a_job_of_higher_priority_goes_first(site):
    site.order("Coral")
    second = site.order("Ember", "r2.flam3")
    site.post(f"/jobs/{second.id}/priority", site.cookie(), priority="9")
    assert site.claim().sheep == 2


def test_a_frame_is_rendered_once_more_from_its_page(site, look, axe):
    job = site.order("Coral", frames=1)
    site.paint_all()
    site.keep_house()
    task = view_job(site.farm, job.id).tasks[0]
    page = look(f"/tasks/{task.id}", account=site.artist)
    assert axe(page) == []
    page.get_by_role("button", name="Render this frame again").click()
    expect(page.get_by_role("status")).to_contain_text("rendered anew")
    expect(page.get_by_role("button", name="Render this frame again")).to_have_count(0)
    assert view_job(site.farm, job.id).job.state is JobState.RUNNING
    assert site.http.get(f"/pictures/{task.id}").status_code == 200
    assert site.claim() is not None


def test_a_private_job_is_shared_by_a_link_from_its_page(site, look, axe):
    site.order("Coral", shape="still", frames=1)
    page = look("/jobs/1000", account=site.artist)
    page.get_by_role("button", name="Make it private").click()
    expect(page.locator(".facts")).to_contain_text("private")
    page.get_by_role("button", name="Make a link to share").click()
    link = page.locator("#link").inner_text()
    assert axe(page) == []
    friend = look("/jobs/1000")
    expect(friend.locator("h1")).to_have_text("Not here")
    friend.goto(link)
    expect(friend.locator("h1")).to_have_text("Coral")
    page.get_by_role("button", name="Revoke 1 link").click()
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    friend.reload()
    expect(friend.locator("h1")).to_have_text("Not here")


@pytest.mark.parametrize("path", ["cancel", "priority", "more", "private", "share", "unshare"])
def test_others_change_nothing_of_a_job(site, path):
    job = site.order("Coral")
    stranger = add_account(site.farm, "rex", Role.ARTIST, "")
    assert site.post(f"/jobs/{job.id}/{path}", site.cookie(stranger), priority="9").status_code == 403
    assert site.post(f"/jobs/{job.id}/{path}", priority="9").status_code == 401
    view = view_job(site.farm, job.id).job
    assert (view.state, view.terms.priority) == (JobState.RUNNING, 0)
