"""What watches over a farm asks: it is told the truth, and secrets only to the owner."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from tests.conftest import HEIGHT, WIDTH, picture
from tests.disks import small_disk

from sheepfold.app import SHARED, make_app
from sheepfold.farm import vitals
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.dispatch import held_lease
from sheepfold.farm.upkeep import House
from sheepfold.model.accounts import Role, Scope
from sheepfold.model.errors import StoreUnavailable
from sheepfold.web.tally import FILE_BYTES, count_in


@pytest.fixture
def http(farm):
    with TestClient(make_app(farm)) as http:
        yield http


@pytest.fixture
def owner(farm):
    add_account(farm, "ona", Role.OWNER, "")
    return {"Authorization": f"Bearer {add_key(farm, 'ona', 'watch').key}"}


@pytest.fixture
def always_anew(monkeypatch):
    monkeypatch.setattr(vitals, "REMEMBERED_S", 0.0)
    monkeypatch.setattr(vitals, "BLOBS_REMEMBERED_S", 0.0)


@pytest.fixture
def small(tmp_path):
    """Give a folder with room for the files of one server, and little more."""
    (tmp_path / "small").mkdir()
    with small_disk(tmp_path / "small", f"{5 * FILE_BYTES // 2}") as folder:
        yield folder


def samples(http, owner) -> dict[tuple[str, ...], float]:
    answer = http.get("/metrics", headers=owner)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_a_farm_is_ready_only_while_somebody_keeps_house(farm, http):
    assert http.get("/healthz").text == "alive\n"
    answer = http.get("/readyz")
    assert answer.status_code == 503
    assert "Nobody keeps house" in answer.text
    house = House(farm, lambda: ThreadPoolExecutor(1))
    house.start()
    try:
        ready = threading.Event()
        while http.get("/readyz").status_code != 200:
            ready.wait(0.02)
        assert http.get("/readyz").text == "ready\n"
    finally:
        house.stop()
    assert http.get("/readyz").status_code == 503


def test_a_database_that_is_away_is_named_and_the_process_is_alive_still(farm, http):
    farm.db.close()
    assert http.get("/healthz").status_code == 200
    answer = http.get("/readyz")
    assert answer.status_code == 503
    assert "database is closed" in answer.text
    with pytest.raises(StoreUnavailable):
        vitals.Gauge(farm).read()


def test_a_data_folder_that_is_away_is_named(farm, http, tmp_path):
    data, away = farm.settings.data, tmp_path / "away"
    data.rename(away)
    try:
        answer = http.get("/readyz")
        assert answer.status_code == 503
        (lack,) = [line for line in answer.text.splitlines() if "data folder" in line]
        assert lack.startswith(f"The farm's data folder {data} cannot be used: No such file or directory.")
        data.mkdir()  # what is left of a disk that is not mounted any more
        assert lack in http.get("/readyz").text.splitlines()
    finally:
        shutil.rmtree(data, ignore_errors=True)
        away.rename(data)
    assert "data folder" not in http.get("/readyz").text


def test_metrics_are_for_an_owners_ordering_key_alone(farm, world, http, owner):
    world.account("ann")
    artist = add_key(farm, "ann", "desk").key
    worker = add_key(farm, "ona", "barn", Scope.WORK).key
    assert http.get("/metrics").status_code == 401
    assert http.get("/metrics", headers={"Authorization": "Bearer x"}).status_code == 401
    for key in (artist, worker):
        assert http.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 403
    assert http.get("/metrics", headers=owner).headers["content-type"].startswith("text/plain")


@pytest.mark.usefixtures("always_anew")
def test_metrics_tell_how_the_farm_stands_and_what_was_done(world, http, owner, clock):
    before = samples(http, owner)
    assert before["sheepfold_open_tasks",] == 0
    world.order(frames=3)
    clock.advance(60)
    maker = world.maker("barn")
    assignment = world.claim(maker)
    size = (WIDTH + assignment.frame, HEIGHT)  # of three lanes that stand alike, any may be the first
    world.send(held_lease(world.farm, maker, assignment.lease_id), picture(0, size))
    world.held(maker)
    samples(http, owner)  # what is counted is what had been begun by the reading before
    told = samples(http, owner)
    assert told["sheepfold_open_tasks",] == 2
    assert told["sheepfold_oldest_open_task_age_seconds",] == 60
    assert told["sheepfold_jobs", "running"] == 1
    assert told["sheepfold_leases", "rest"] == 1
    assert told["sheepfold_machines_alive", "rest"] == 1
    assert told["sheepfold_chores_waiting",] == 1
    assert told["sheepfold_claims_total", "rest"] == 2
    assert told["sheepfold_results_total", "valid"] == 1
    assert told["sheepfold_credit_points_total",] > 0
    assert told["sheepfold_blob_bytes",] >= len(picture(0, size))
    assert told["sheepfold_inspections_total",] >= 1
    assert samples(http, owner)["sheepfold_claims_total", "rest"] == 2


def test_requests_are_counted_by_protocol_and_status(http, owner):
    http.get("/api/v1/whoami")
    http.post("/api/v1/leases")
    http.get("/query.php?q=redir&u=&p=")
    http.get("/nothing")
    told = samples(http, owner)
    assert told["sheepfold_request_seconds_count", "rest", "401"] == 2
    assert told["sheepfold_request_seconds_count", "electricsheep", "200"] == 1
    assert told["sheepfold_request_seconds_count", "pages", "404"] == 1


@pytest.mark.usefixtures("always_anew")
def test_what_processes_that_serve_together_count_never_goes_back(world, tmp_path):
    ours, theirs = (vitals.Gauge(world.farm, tmp_path / "gauge") for _ in range(2))
    world.order(frames=2)
    assert ours.read().claims == {}
    for maker in (world.maker("barn"), world.maker("loft")):
        world.held(maker)
    theirs.read()  # what is counted is what had been begun by the reading before
    assert [gauge.read().claims for gauge in (ours, theirs, ours)] == [{"rest": 2}] * 3


def test_a_server_without_room_for_what_it_counts_counts_for_itself(small, monkeypatch):
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv(SHARED, str(small))
    assert count_in(small, 0)
    there = set(small.iterdir())
    assert not count_in(small, 1)
    assert set(small.iterdir()) == there
    assert count_in(small, 0)


@pytest.mark.usefixtures("always_anew")
def test_without_room_for_what_was_counted_the_counts_go_on_from_what_is_there(world, small):
    ours, theirs = (vitals.Gauge(world.farm, small / "gauge") for _ in range(2))
    world.order(frames=1)
    ours.read()
    with suppress(OSError), (small / "full").open("wb", buffering=0) as full:
        while True:
            full.write(bytes(4096))
    world.held(world.maker("barn"))
    for _ in range(2):
        assert [gauge.read().standing.leases for gauge in (ours, theirs)] == [{"rest": 1}] * 2


def test_who_cannot_open_what_others_counted_counts_for_itself(world, tmp_path):
    world.order(frames=1)
    assert vitals.Gauge(world.farm, tmp_path / "nowhere" / "gauge").read().standing.open_tasks == 1
