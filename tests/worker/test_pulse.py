import threading
from collections.abc import Callable, Iterator

import pytest
from folder_farm import FolderFarm, FolderLink

from sheepfold.protocols.link import Work
from sheepfold.worker.pulse import Pulse, interval_s

Waiting = Callable[[Callable[[], object]], None]
WORK = Work("one", "flame", {}, 0, 0, 0, {})  # a term of no seconds makes the shortest interval
OTHER = Work("two", "flame", {}, 0, 0, 0, {})


@pytest.fixture
def pulse(farm: FolderFarm) -> Iterator[Pulse]:
    made = Pulse(FolderLink(farm))
    yield made
    made.end()


def beats(farm: FolderFarm, name: str) -> int:
    path = farm.path / "beats" / f"{name}.json"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_all_leases_are_kept_alive(farm: FolderFarm, pulse: Pulse, wait_for: Waiting) -> None:
    pulse.watch("a", WORK)
    pulse.watch("b", OTHER)
    wait_for(lambda: beats(farm, "one") >= 2 and beats(farm, "two") >= 2)


def test_a_forgotten_lease_is_silent(farm: FolderFarm, pulse: Pulse, wait_for: Waiting) -> None:
    pulse.watch("a", WORK)
    pulse.watch("b", OTHER)
    pulse.forget("a")
    before = {name: beats(farm, name) for name in ("one", "two")}
    wait_for(lambda: beats(farm, "two") >= before["two"] + 3)
    assert beats(farm, "one") <= before["one"] + 1  # one may have been on its way


def test_who_is_wanted_no_more_hears_it_once(farm: FolderFarm, pulse: Pulse, wait_for: Waiting) -> None:
    heard = threading.Event()
    farm.set("unwanted/one")
    pulse.watch("a", WORK, heard.set)
    pulse.watch("b", OTHER)
    wait_for(heard.is_set)
    wait_for(lambda: beats(farm, "two") >= 2)
    assert beats(farm, "one") == 1


def test_a_farm_that_is_away_says_nothing_against_a_task(farm: FolderFarm, pulse: Pulse, wait_for: Waiting,
                                                         caplog: pytest.LogCaptureFixture) -> None:
    heard = threading.Event()
    farm.set("away")
    pulse.watch("a", WORK, heard.set)
    with caplog.at_level("INFO"):
        wait_for(lambda: "heartbeat_failed" in caplog.text)
    farm.clear("away")
    wait_for(lambda: beats(farm, "one"))
    assert not heard.is_set()


@pytest.mark.parametrize(("term_s", "seconds"), [(0, 0.5), (30, 10), (86_400, 60)])
def test_three_heartbeats_fit_into_a_term(term_s: int, seconds: float) -> None:
    assert interval_s(term_s) == seconds
