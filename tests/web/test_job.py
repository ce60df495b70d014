"""A job's page, in a real browser."""

from playwright.sync_api import expect

from sheepfold.farm.browse import view_job
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
    expect(page.get_by_role("region", name="Leases")).to_contain_text("Electric Sheep")
    expect(page.get_by_role("region", name="Story")).to_contain_text("credit earned")
    assert axe(page) == []
    page.get_by_role("link", name="Frame after").click()
    expect(page.locator("h1")).to_contain_text("Frame 2 of Coral")
    expect(page.get_by_role("link", name="Frame after")).to_have_count(0)


def test_who_ordered_a_job_changes_its_priority_and_cancels_it(site, look):
    job = site.order("Coral")
    page = look(f"/jobs/{job.id}", account=site.artist)
    page.get_by_label("Priority").fill("7")
    site.paint(site.claim())
    expect(page.locator("#head .state")).to_contain_text("1 of 4")  # the part around the field was replaced meanwhile
    expect(page.get_by_label("Priority")).to_be_focused()
    expect(page.get_by_label("Priority")).to_have_value("7")
    page.get_by_role("button", name="Change").click()
    expect(page.locator(".facts")).to_contain_text("priority 7")
    expect(page.locator(".done.told")).to_have_text("Its priority is changed.")
    assert site.claim() is not None
    page.get_by_role("button", name="Cancel this job").click()
    assert view_job(site.farm, job.id).job.state is JobState.RUNNING  # the first press only asks
    page.get_by_role("button", name="Cancel it, really").click()
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


def test_what_was_done_is_said_once(site, look):
    site.order("Coral", shape="still", frames=1)
    page = look("/jobs/1000", account=site.artist)
    page.get_by_role("button", name="Keep it for ever").click()
    expect(page.locator(".done.told")).to_have_text("This job is kept for ever.")
    page.reload()
    expect(page.locator(".done.told")).to_have_count(0)


def test_a_refused_form_leads_back_to_its_page(site):
    job = site.order("Coral")
    headers = {"Origin": site.url, "Cookie": f"sheepfold_web={site.cookie()}", "Referer": f"{site.url}/jobs/{job.id}"}
    answer = site.http.post(f"/jobs/{job.id}/priority", data={"priority": "many"}, headers=headers)
    assert answer.status_code == 422
    assert f'href="/jobs/{job.id}">Back to the form</a>' in answer.text
    elsewhere = headers | {"Referer": "https://elsewhere.example/jobs"}
    answer = site.http.post(f"/jobs/{job.id}/priority", data={"priority": "many"}, headers=elsewhere)
    assert "Back to the form" not in answer.text


def test_a_private_job_is_shared_by_a_link_from_its_page(site, look, axe):
    site.order("Coral", shape="still", frames=1)
    page = look("/jobs/1000", account=site.artist)
    page.get_by_role("button", name="Make it private").click()
    expect(page.locator(".facts")).to_contain_text("private")
    page.get_by_role("button", name="Make a link to share").click()
    link = page.locator("#link").inner_text()
    assert page.url == f"{site.url}/jobs/1000"  # to load it anew sends no form again
    assert axe(page) == []
    friend = look("/jobs/1000")
    expect(friend.locator("h1")).to_have_text("Not here")
    friend.goto(link)
    expect(friend.locator("h1")).to_have_text("Coral")
    page.get_by_role("button", name="Revoke 1 link").click()
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    friend.reload()
    expect(friend.locator("h1")).to_have_text("Not here")
