"""The live stream of the pages, as a browser reads it."""

import json


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
