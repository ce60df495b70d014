"""Teams, as people meet them in a browser, and who may do what on their pages."""

from playwright.sync_api import expect

from sheepfold.farm import people, sight, teams
from sheepfold.farm.accounts import add_account
from sheepfold.model.accounts import Role


def test_a_team_is_made_joined_by_its_link_and_handed_over(site, look):
    rex = add_account(site.farm, "rex", Role.VOLUNTEER, "")
    page = look("/teams", account=site.artist)
    page.get_by_label("Its name").fill("woolpack")
    page.get_by_role("button", name="Make it").click()
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("#link").inner_text()
    guest = look(link.removeprefix(site.url), account=rex)
    guest.get_by_role("button", name="Join").click()
    expect(guest.locator("h1")).to_have_text("woolpack")
    page.goto(site.url + "/teams/woolpack")
    page.get_by_role("button", name="Hand over to rex").click()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("region", name="Teams")).to_contain_text("rex")
    assert [one.name for one in teams.view_team(site.farm, "woolpack").members] == ["rex"]


def test_a_private_job_is_shown_to_the_team_with_a_button(site, look):
    rex = add_account(site.farm, "rex", Role.VOLUNTEER, "")
    teams.make_team(site.farm, site.artist, "woolpack")
    teams.join(site.farm, rex, teams.invite(site.farm, site.artist, "woolpack"))
    job = site.order("Secret", frames=1, shape="still")
    sight.set_private(site.farm, site.artist, job.id, is_private=True)
    headers = {"Cookie": f"sheepfold_web={site.cookie(rex)}"}
    assert site.http.get(f"/jobs/{job.id}", headers=headers).status_code == 404
    page = look(f"/jobs/{job.id}", account=site.artist)
    page.get_by_role("button", name="Show it to woolpack").click()
    expect(page.locator(".facts")).to_contain_text("private, and by woolpack")
    assert site.http.get(f"/jobs/{job.id}", headers=headers).status_code == 200
    page.get_by_role("button", name="Hide it from woolpack").click()
    expect(page.locator(".facts")).not_to_contain_text("woolpack")
    assert site.http.get(f"/jobs/{job.id}", headers=headers).status_code == 404


def test_who_is_invited_without_an_account_comes_back_after_making_one(site):
    teams.make_team(site.farm, site.artist, "woolpack")
    path = "/invited/" + teams.invite(site.farm, site.artist, "woolpack")
    assert site.http.get(path).headers["location"] == f"/sign-in?next={path}"
    assert f"/sign-up?next={path}" in site.http.get(f"/sign-in?next={path}").text
    code = people.invite(site.farm, site.artist, Role.VOLUNTEER)
    made = site.post("/sign-up", name="newbie", password="a long enough one", next=path, code=code)
    assert (made.status_code, made.headers["location"]) == (303, path)


def test_only_who_leads_a_team_is_offered_and_allowed_its_deeds(site):
    rex = add_account(site.farm, "rex", Role.VOLUNTEER, "")
    teams.make_team(site.farm, site.artist, "woolpack")
    token = site.cookie(rex)
    page = site.http.get("/teams/woolpack", headers={"Cookie": f"sheepfold_web={token}"})
    assert page.status_code == 200
    assert "<button" not in page.text.partition("<main")[2]
    assert site.post("/teams/woolpack/invite", token).status_code == 403
    assert site.post("/teams/woolpack/members/bella", token, deed="remove").status_code == 403
    assert site.post("/teams/woolpack/members/rex", token, deed="lead").status_code == 403
    assert site.post("/teams/woolpack/members/bella", site.cookie(), deed="crown").status_code == 422
    assert [site.post(path).status_code for path in ("/teams", "/teams/woolpack/invite", "/invited/x")] == [401] * 3
