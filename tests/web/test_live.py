"""The live stream of the pages, as a browser reads it."""

import json

import pytest

from sheepfold.farm.accounts import add_account
from sheepfold.farm.owner import change_role, close_account
from sheepfold.farm.people import end_web_session
from sheepfold.farm.sight import set_private
from sheepfold.model.accounts import Role
from sheepfold.protocols import listener
from sheepfold.web import live

LOSSES = {"their role": lambda farm, boss: change_role(farm, None, boss.name, Role.ARTIST),
          "their session": lambda farm, boss: end_web_session(farm, boss.id),
          "their account": lambda farm, boss: close_account(farm, None, boss.name)}


def heard(site, count, query="", **headers):
    """Return the first events of the stream, as pairs of the id that a browser would then come back with, and a job."""
    events, known, data, event_id = [], 0, None, None
    with site.http.stream("GET", f"/events{query}", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                event_id = int(value)
            elif name == "data":
                data = json.loads(value)
            elif not line and data is not None:
                known = known if event_id is None else event_id
                events.append((known, data["job"]))
                data = event_id = None
                if len(events) == count:
                    return events
    return events


def test_the_stream_tells_which_jobs_have_changed_after_an_event(site):
    first, second = site.order("Coral"), site.order("Ember", "r2.flam3")
    assert [job for _, job in heard(site, 2, "?after=0")] == [first.id, second.id]


def test_a_stream_that_breaks_between_two_events_loses_neither(site):
    site.order("Coral")
    second = site.order("Ember", "r2.flam3")
    (known, _), _ = heard(site, 2, "?after=0")
    again = heard(site, 2 if known == 0 else 1, "?after=0", **{"Last-Event-ID": str(known)})
    assert again[-1][1] == second.id


def test_a_browser_that_comes_back_hears_what_it_missed(site):
    site.order("Coral")
    newest = heard(site, 1, "?after=0")[-1][0]
    missed = site.order("Ember", "r2.flam3")
    assert heard(site, 1, "?after=0", **{"Last-Event-ID": str(newest)}) == [(newest + 1, missed.id)]


def test_an_odd_last_event_means_from_now_on(site):
    site.order("Coral")
    for odd in ("-1", "x", "9" * 30, "", "1.5"):
        with site.http.stream("GET", f"/events?after={odd}") as stream:
            assert stream.status_code == 200


@pytest.fixture
def boss(site, monkeypatch):
    """Return a second owner, on a farm that looks who hears the stream before it tells anything."""
    monkeypatch.setattr(listener, "LOOK_AGAIN_S", 0)
    return add_account(site.farm, "boss", Role.OWNER, "")


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_who_loses_what_let_them_hear_hears_no_more(site, boss, lose):
    first, second = (site.order(name, frames=1, shape="still") for name in ("Coral", "Ember"))
    for job in (first, second):
        set_private(site.farm, site.artist, job.id, is_private=True)
    with site.http.stream("GET", "/events", headers={"Cookie": f"sheepfold_web={site.cookie(boss)}"}) as stream:
        lines = stream.iter_lines()
        site.cancel(first)
        assert json.loads(next(line for line in lines if line).removeprefix("data: "))["job"] == first.id
        lose(site.farm, boss)
        site.cancel(second)
        assert [line for line in lines if line.startswith("data: ")] == []


def test_a_quiet_stream_ends_with_its_session(site, boss, monkeypatch):
    monkeypatch.setattr(live, "KEEP_ALIVE_S", 0.01)
    with site.http.stream("GET", "/events", headers={"Cookie": f"sheepfold_web={site.cookie(boss)}"}) as stream:
        end_web_session(site.farm, boss.id)
        assert {line for line in stream.iter_lines() if line} <= {": still here"}


def test_the_stream_of_a_visitor_who_did_not_sign_in_goes_on(site, monkeypatch):
    monkeypatch.setattr(listener, "LOOK_AGAIN_S", 0)
    order = site.order("Coral")
    assert heard(site, 1, "?after=0", Cookie="sheepfold_web=nobody")[0][1] == order.id
