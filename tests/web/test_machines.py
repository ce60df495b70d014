"""My machines, in a real browser: when they work, and what they are told."""

from playwright.sync_api import expect

from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.rules import rules_of
from sheepfold.model.accounts import Role
from sheepfold.model.machines import WorkRules


def test_an_owner_says_when_a_machine_works(site, look, axe):
    rex = add_account(site.farm, "rex", Role.VOLUNTEER, "")
    add_key(site.farm, "rex", "laptop")
    page = look("/machines", account=rex)
    page.get_by_text("When it works").click()
    page.get_by_label("Minutes after anybody used it").fill("15")
    page.get_by_label("Hours of its clock").fill("22 - 6")
    page.get_by_label("Below a load of").fill("1.5")
    page.get_by_label("Never on battery").check()
    assert axe(page) == []
    page.get_by_role("button", name="Save when laptop works").click()
    expect(page.get_by_label("Hours of its clock")).to_have_value("22-6")
    assert rules_of(site.farm, rex, "laptop") == WorkRules(15, "22-6", True, 1.5)
    page.get_by_role("button", name="Pause laptop").click()
    expect(page.locator("#machines")).to_contain_text("Paused")
    page.get_by_role("button", name="Let it work laptop").click()
    expect(page.locator("#machines")).to_contain_text("Idle")


def test_nobody_else_says_when_a_machine_works(site):
    add_account(site.farm, "rex", Role.VOLUNTEER, "")
    eve = add_account(site.farm, "eve", Role.ARTIST, "")
    add_key(site.farm, "rex", "laptop")
    for fields in ({"hours": "1-2"}, {"hours": "x"}, {"load_limit": "x"}, {"load_limit": "nan"}, {"idle_min": "x"}):
        assert site.post("/machines/laptop/rules", site.cookie(eve), **fields).status_code in {403, 422}
        assert site.post("/machines/laptop/rules", **fields).status_code == 401
    assert site.post("/machines/laptop/stop", site.cookie(eve)).status_code == 403
    assert rules_of(site.farm, None, "laptop") == WorkRules()
