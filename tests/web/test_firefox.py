"""The chief pages in a real Firefox: they live without a reload, take a vote and an order, and the flock walks."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import Site

from sheepfold.kinds.screenshot.shooting.bidi import Bidi
from sheepfold.kinds.screenshot.shooting.ending import end_group

PATIENCE_S = 60
QUIET = {"browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
         "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
         "app.update.enabled": False, "remote.active-protocols": 1, "toolkit.telemetry.server": "",
         "browser.startup.page": 0, "termsofuse.bypassNotification": True, "media.autoplay.default": 0}


@dataclass
class Fox:
    """A Firefox with one page."""

    bidi: Bidi
    context: str

    def open(self, url: str) -> None:
        """Open a page."""
        self.bidi.send("browsingContext.navigate", context=self.context, url=url, wait="interactive")

    def see(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        told = self.bidi.send("script.evaluate", expression=f"JSON.stringify({expression})", awaitPromise=False,
                              userActivation=True, target={"context": self.context, "sandbox": "test"})
        assert told["type"] == "success", told
        value = told["result"].get("value")
        return None if value is None else json.loads(value)

    def until(self, expression: str) -> None:
        """Wait for an expression to be true."""
        end = time.monotonic() + PATIENCE_S
        while not self.see(f"Boolean({expression})"):
            assert time.monotonic() < end, f"never true: {expression}; {self.see('document.body.innerText')}"
            time.sleep(0.05)

    def click(self, words: str) -> None:
        """Press the button with these words, once there is one that can be pressed."""
        enabled = "[...document.querySelectorAll('main button:enabled')]"
        button = f"{enabled}.find(one => one.innerText.trim() === '{words}')"
        self.until(button)
        self.see(f"void {button}.click()")

    def complaints(self) -> list[str]:
        """Return what scripts of the pages have thrown."""
        return [str(said.get("text")) for said in self.bidi.events("log.entryAdded")
                if said.get("type") == "javascript" and said.get("level") == "error"]


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bidi]:
    profile = tmp_path_factory.mktemp("firefox")
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in QUIET.items()]
    (profile / "user.js").write_text("".join(lines), "utf-8")
    argv = ["/usr/bin/firefox-esr", "--headless", "--no-remote", "--new-instance", "--profile", str(profile),
            "--remote-debugging-port", "0"]
    home = os.environ | {"HOME": str(profile), "MOZ_CRASHREPORTER_DISABLE": "1"}
    with (profile / "log").open("wb") as log:
        process = subprocess.Popen(argv, env=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
        bidi = Bidi(_announced(profile), PATIENCE_S)
        bidi.send("session.new", capabilities={})
        bidi.send("session.subscribe", events=["log.entryAdded"])
        yield bidi
        bidi.close()
        end_group(process)


def _announced(profile: Path) -> str:
    """Wait until Firefox has written down where it listens; returns the address."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            told = json.loads((profile / "WebDriverBiDiServer.json").read_text("utf-8"))
            return f"ws://{told['ws_host']}:{told['ws_port']}/session"
        except (OSError, ValueError):
            assert time.monotonic() < end, (profile / "log").read_text("utf-8", "replace")
            time.sleep(0.05)


@pytest.fixture
def fox(firefox: Bidi, site: Site) -> Iterator[Fox]:
    """Return a Firefox in which the farm's owner is signed in; its pages' scripts must have thrown nothing."""
    user = firefox.send("browser.createUserContext")["userContext"]
    context = firefox.send("browsingContext.create", type="tab", userContext=user)["context"]
    host = site.url.removeprefix("http://").partition(":")[0]
    firefox.send("storage.setCookie", partition={"type": "storageKey", "userContext": user}, cookie={
        "name": "sheepfold_web", "value": {"type": "string", "value": site.cookie()}, "domain": host, "path": "/",
        "httpOnly": True, "sameSite": "lax"})
    firefox.forget()
    opened = Fox(firefox, context)
    yield opened
    assert opened.complaints() == []
    firefox.send("browser.removeUserContext", userContext=user)


def test_pictures_arrive_on_the_wall_without_a_reload_in_firefox(site, fox):
    job = site.order("Coral", frames=3)
    fox.open(site.url + "/")
    fox.until(f"document.getElementById('job-{job.id}')")
    fox.see("(window.wrappedJSObject.isTheSamePage = true)")
    site.paint_all()
    site.keep_house()
    fox.until(f"document.querySelectorAll('#job-{job.id} .frames img').length === 3")
    fox.until(f"document.querySelector('#job-{job.id} .state.done')")
    assert fox.see("window.wrappedJSObject.isTheSamePage") is True


def test_a_job_loads_its_frames_and_its_film_in_firefox(site, fox):
    job = site.order("Coral", frames=3)
    site.paint_all()
    site.keep_house()
    fox.open(f"{site.url}/jobs/{job.id}")
    fox.until("document.querySelector('#head video').readyState >= 1")
    fox.see("document.querySelector('.frames').scrollIntoView()")
    fox.until("document.querySelectorAll('.frames.piece img').length === 3")


def test_the_flock_is_voted_on_and_walks_in_firefox(site, fox):
    site.order("Coral", frames=4)
    site.paint_all()
    site.keep_house()
    fox.open(site.url + "/flock/1/1")
    fox.click("I like it")
    fox.until("document.getElementById('rating')?.innerText === '1'")
    fox.open(site.url + "/flock/player")
    fox.until("(document.getElementById('player').dataset.joints ?? '').includes('1>1')")


def test_a_genome_is_ordered_by_its_page_in_firefox(site, fox):
    fox.open(site.url + "/order/flame")
    genome = str(Path(__file__).parents[1] / "genomes" / "r1.flam3")
    found = fox.bidi.send("browsingContext.locateNodes", context=fox.context,
                          locator={"type": "css", "value": "input[name=genome]"})["nodes"][0]
    fox.bidi.send("input.setFiles", context=fox.context, element={"sharedId": found["sharedId"]}, files=[genome])
    fox.until("document.getElementById('sketch').hidden === false")
    for name, value in (("frames", 2), ("width", 96), ("height", 72)):
        fox.see(f"(document.getElementsByName('spec.{name}')[0].value = '{value}')")
    fox.click("Order it")
    fox.until("location.pathname.startsWith('/jobs/')")
    fox.until("document.querySelector('#head .state')?.innerText.includes('0 of 2')")
