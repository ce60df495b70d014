"""My machines, in a real browser: when they work, and what they are told."""

from playwright.sync_api import expect

from sheepfold.farm.accounts import add_account, add_key, holder_of
from sheepfold.farm.rules import rules_of
from sheepfold.model.accounts import Role, Scope
from sheepfold.model.machines import WorkRules
from sheepfold.web.machines import SCOPES
from sheepfold.web.words import opens


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


def test_a_key_of_every_scope_is_made_on_the_page_with_words_and_taken_back(site, look, axe):
    for nth, (scope, head, words) in enumerate(SCOPES):
        page = look("/machines/add", account=site.artist)
        page.get_by_label("What is it called?").fill(f"box-{scope}")
        page.get_by_label(head, exact=True).check()
        expect(page.locator("form.fields")).to_contain_text(words)
        if not nth:
            assert axe(page) == []
        page.get_by_role("button", name="Make its key").click()
        key = page.locator("#key").inner_text()
        assert holder_of(site.farm, key).scope is scope
    page = look("/account", account=site.artist)
    for scope in Scope:
        row = page.get_by_role("row").filter(has_text=f"box-{scope}")
        expect(row).to_contain_text(opens(scope))
        row.get_by_role("button").click()
        expect(page.get_by_role("region", name="Keys")).not_to_contain_text(f"box-{scope}")


def test_a_volunteer_is_offered_no_key_that_orders(site, look):
    rex = add_account(site.farm, "rex", Role.VOLUNTEER, "")
    page = look("/machines/add", account=rex)
    expect(page.get_by_role("radio")).to_have_count(2)
    assert site.post("/machines/add", site.cookie(rex), name="laptop", scope="order").status_code == 422
    assert site.post("/machines/add", site.cookie(rex), name="laptop", scope="rule").status_code == 422
    assert site.post("/machines/add", site.cookie(rex), name="laptop", scope="manage").status_code == 200
