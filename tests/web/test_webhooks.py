"""My webhooks, as a page adds, tries and removes them."""

from playwright.sync_api import expect

from sheepfold.farm import postman, webhooks


def test_a_webhook_is_added_tried_and_removed(site, look, axe):
    page = look("/account/webhooks", account=site.artist)
    page.fill("[name=url]", "http://localhost:9/in")
    page.get_by_role("button", name="Add it").click()
    expect(page.locator("body")).to_contain_text("which is no public address")
    page = look("/account/webhooks", account=site.artist)
    page.fill("[name=url]", "http://hooks.example:9/in")
    page.get_by_label("a job failed").check()
    page.get_by_role("button", name="Add it").click()
    expect(page.locator("#secret")).to_be_visible()
    (hook,) = webhooks.list_webhooks(site.farm, site.artist)
    expect(page.locator("#secret")).to_have_text(hook.secret)
    expect(page.locator("section", has_text="Webhook 1")).to_contain_text("when a job failed, since just now")
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("td").first).to_have_text("a test")
    postman.deliver_due(site.farm, resolve=lambda host, port: ["127.0.0.1"])
    page.reload()
    expect(page.locator("tr", has_text="a test")).to_contain_text("which is no public address")
    assert axe(page) == []
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("main")).to_contain_text("Nobody is told yet.")
