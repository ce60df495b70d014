"""What people do without a mouse.

Ordering without one is in `test_order`, the walk through all pages in `test_every_page`, and a review's acceptance too.
"""

import re

import pytest
from playwright.sync_api import expect
from tests.web.keyboard import tab_to

pytestmark = pytest.mark.slow


def test_the_first_stop_leads_past_the_navigation(site, look):
    page = look("/sign-in")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Name")).to_be_focused()


def test_a_sheep_is_voted_for_without_a_mouse(site, look):
    site.order("Coral", frames=2)
    page = look("/flock/1/1", account=site.artist)
    tab_to(page, "I like it")
    page.keyboard.press("Enter")
    expect(page.locator("#rating")).to_have_text("1")


def test_the_player_obeys_keys_while_it_has_the_focus(site, look, until):
    for number in (1, 2):
        site.order(f"Sheep {number}", f"r{number}.flam3", frames=40)
    site.paint_all()
    site.keep_house()
    page = look("/flock/player")
    until(page, "document.querySelector('.player .shown')?.readyState >= 2")
    tab_to(page, "Player")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    assert page.evaluate("document.querySelector('.player .shown').paused") is True
    until(page, "document.querySelector('.player video:not(.shown)').readyState >= 2")
    page.keyboard.press("ArrowRight")
    until(page, "document.getElementById('player').dataset.joints !== undefined")
    page.keyboard.press("f")
    until(page, "document.fullscreenElement?.id === 'player'")
    page.keyboard.press("f")
    until(page, "document.fullscreenElement === null")


def test_the_arrows_turn_from_frame_to_frame(site, look):
    site.order("Coral", frames=3)
    page = look("/tasks/1")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("/tasks/2$"))
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(re.compile("/tasks/1$"))
