"""The stream of events: from now on, from an id on, of one job, and to the end of the client's patience."""

import threading

import pytest

from sheepfold.farm.accounts import revoke_keys
from sheepfold.farm.owner import change_role, close_account
from sheepfold.model.accounts import Role
from sheepfold.protocols import listener
from sheepfold.protocols.rest import events as stream
from sheepfold.protocols.rest import wire


def opened(site, query="", **headers):
    authorization = site.bearer(site.key("ann", "desk"))
    return site.http.stream("GET", f"/events{query}", headers=authorization | headers)


def taken(response, count):
    found = []
    for event in wire.decode_events(response.iter_lines()):
        found.append(event)
        if len(found) == count:
            break
    return found


def test_events_come_as_they_happen(site):
    client = site.client()
    site.order(client)
    with opened(site) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        ordering = threading.Thread(target=lambda: site.order(client))
        ordering.start()
        event, = taken(response, 1)
        ordering.join()
    assert event.what == "job ordered"
    assert event.job == client.jobs().jobs[0].id


def test_last_event_id_goes_on_where_the_line_broke(site):
    client = site.client()
    for _ in range(3):
        site.order(client)
    with opened(site, "?after=0") as response:
        first, second = taken(response, 2)
    with opened(site, "?after=0", **{"Last-Event-ID": str(first.id)}) as response:
        again, third = taken(response, 2)
    assert again == second
    assert third.id > second.id


def test_stream_of_a_job_tells_of_no_other(site):
    client = site.client()
    site.order(client)
    mine = site.order(client)
    site.order(client)
    client.cancel(mine)
    with opened(site, f"?after=0&job={mine}") as response:
        found = taken(response, 2)
    assert {event.job for event in found} == {mine}


def test_comments_keep_a_quiet_line_alive(site, monkeypatch):
    monkeypatch.setattr(stream, "QUIET_S", 0.01)
    with opened(site) as response:
        lines = (line for line in response.iter_lines() if line)
        assert [next(lines), next(lines)] == [": sheepfold", ": quiet"]


def test_places_that_make_no_sense_are_refused(site):
    headers = site.bearer(site.key("ann", "desk"))
    for query in ("after=-1", "after=x", f"after={2**63}", "job=-1"):
        assert site.http.get(f"/events?{query}", headers=headers).status_code == 400
    for last in ("x", "-1", "1" * 30):
        assert site.http.get("/events", headers=headers | {"Last-Event-ID": last}).status_code == 400


def test_client_yields_events(site):
    client = site.client()
    job = site.order(client)
    event = next(client.events(after=0, job_id=job))
    assert (event.what, event.job) == ("job ordered", job)


def test_stream_ends_when_the_client_goes(site):
    with opened(site) as response:
        assert response.status_code == 200
        site.somebody_waits()
    site.nobody_waits()


LOSSES = {"its role": lambda farm: change_role(farm, None, "boss", Role.ARTIST),
          "its key": lambda farm: revoke_keys(farm, "boss-desk"),
          "its account": lambda farm: close_account(farm, None, "boss")}


@pytest.fixture
def boss(site, monkeypatch):
    """Return the key of one of two owners, on a farm that looks who hears a stream before it tells anything."""
    monkeypatch.setattr(listener, "LOOK_AGAIN_S", 0)
    site.key("chief", "chief-desk", Role.OWNER)
    return site.bearer(site.key("boss", "boss-desk", Role.OWNER))


def lines_of(response):
    """Return the lines of a stream that was opened just now, after its first."""
    lines = (line for line in response.iter_lines() if line)
    assert next(lines) == ": sheepfold"
    return lines


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_who_loses_what_let_them_hear_hears_no_more(site, boss, lose):
    ann = site.client()
    first, second = (site.order(ann, shape="still") for _ in range(2))
    for job in (first, second):
        ann.change(job, private=True)
    with site.http.stream("GET", "/events", headers=boss) as response:
        lines = lines_of(response)
        ann.cancel(first)
        assert f'"job":{first}' in next(line for line in lines if line.startswith("data: "))
        lose(site.farm)
        ann.cancel(second)
        assert [line for line in lines if line != ": quiet"] == []


def test_a_quiet_stream_ends_with_its_key(site, boss, monkeypatch):
    monkeypatch.setattr(stream, "QUIET_S", 0.01)
    with site.http.stream("GET", "/events", headers=boss) as response:
        lines = lines_of(response)
        revoke_keys(site.farm, "boss-desk")
        assert set(lines) <= {": quiet"}
