import errno
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from folder_farm import ABILITIES, FolderFarm, FolderLink

from sheepfold.protocols.link import FarmUnreachable, Figures, Receipt, Work
from sheepfold.worker.deliveries import Deliveries
from sheepfold.worker.folder import Desk, Outcome, WorkFolder
from sheepfold.worker.line import Line
from sheepfold.worker.pulse import Pulse
from sheepfold.worker.stopping import Stop

Waiting = Callable[[Callable[[], object]], None]
pytestmark = pytest.mark.usefixtures("impatient")


class MoodyLink(FolderLink):
    """A line whose farm fails on one task, in the way that `mood` says."""

    mood: Exception | None = None

    def submit(self, work: Work, picture: Path, figures: Figures) -> Receipt:
        if self.mood is not None and work.frame == 0:
            raise self.mood
        return super().submit(work, picture, figures)


@pytest.fixture
def link(farm: FolderFarm) -> MoodyLink:
    return MoodyLink(farm)


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def sent(link: MoodyLink, stop: Stop) -> Iterator[Deliveries]:
    pulse = Pulse(link)
    made = Deliveries(Line(link, ABILITIES), pulse, stop)
    yield made
    stop.ask()
    stop.ask()
    made.finish()
    pulse.end()


@pytest.fixture
def desk(tmp_path: Path, farm: FolderFarm) -> Iterator[Callable[[int], Desk]]:
    """Return a function that makes a desk with a finished picture of a frame."""
    with WorkFolder(tmp_path / "work", "a farm") as folder:

        def make(frame: int) -> Desk:
            farm.put(Work(f"{frame}", "flame", {}, frame, 0, 60, {}))
            work = FolderLink(farm).claim(ABILITIES)
            assert work is not None
            made = folder.new_desk(work)
            (made.room / "x.png").write_bytes(b"picture")
            made.take(made.room / "x.png")
            made.close(Outcome(has_picture=True))
            return made

        yield make


def test_a_picture_is_delivered_and_its_desk_cleared(
    sent: Deliveries, desk: Callable[[int], Desk], farm: FolderFarm
) -> None:
    made = desk(0)
    sent.put(made)
    sent.drain()
    assert farm.names("taken") == ["0"]
    assert not made.path.exists()


def test_who_drains_learns_whether_anything_was_delivered_since_the_last_claim(
    sent: Deliveries, desk: Callable[[int], Desk], wait_for: Waiting
) -> None:
    sent.wait_for_room()
    made = desk(0)
    sent.put(made)
    wait_for(lambda: not made.path.exists())
    assert sent.drain() is False
    sent.wait_for_room()
    assert sent.drain() is True


@pytest.mark.parametrize("mood", [
    FarmUnreachable("500 for this one"),
    OSError(errno.ENOSPC, "No space left on device"),  # for what a line has to write
])
def test_a_picture_outlasts_what_hinders_it_and_holds_up_no_other(
    sent: Deliveries, desk: Callable[[int], Desk], farm: FolderFarm, link: MoodyLink, wait_for: Waiting, mood: Exception
) -> None:
    link.mood = mood
    sent.put(desk(0))
    sent.put(desk(1))
    wait_for(lambda: farm.names("taken") == ["1"])
    link.mood = None
    wait_for(lambda: farm.names("taken") == ["0", "1"])
    assert sent.finish() == 0


def test_a_farm_that_stays_away_is_told_to_whoever_drains(
    sent: Deliveries, desk: Callable[[int], Desk], farm: FolderFarm
) -> None:
    made = desk(0)
    farm.set("away")
    sent.put(made)
    with pytest.raises(FarmUnreachable, match="1 results wait"):
        sent.drain()
    assert made.path.exists()


def test_a_refusal_ends_deliveries_and_keeps_the_picture(
    sent: Deliveries, desk: Callable[[int], Desk], farm: FolderFarm
) -> None:
    made = desk(0)
    farm.set("refuse")
    sent.put(made)
    sent.drain()
    assert sent.refusal == "The farm knows no such key."
    assert sent.finish() == 1
    assert made.outcome().has_picture


def test_a_bug_in_a_line_is_told_and_the_picture_sent_when_it_has_passed(
    sent: Deliveries, desk: Callable[[int], Desk], link: MoodyLink, wait_for: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    farm = link.farm
    link.mood = ValueError("a bug")
    sent.put(desk(0))
    with pytest.raises(FarmUnreachable, match="1 results wait"):
        sent.drain()
    assert "raise self.mood" in caplog.text
    link.mood = None
    wait_for(lambda: farm.names("taken") == ["0"])
    assert sent.refusal == ""


def test_a_picture_that_the_disk_lost_is_given_back(
    sent: Deliveries, desk: Callable[[int], Desk], farm: FolderFarm
) -> None:
    made = desk(0)
    made.picture.unlink()
    sent.put(made)
    sent.drain()
    assert "ended before" in farm.read("given", "0")["reason"]


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux has a file that no one can read.")
def test_a_picture_that_cannot_be_read_holds_up_no_other(
    sent: Deliveries, desk: Callable[[int], Desk], farm: FolderFarm
) -> None:
    made = desk(0)
    made.picture.unlink()
    made.picture.symlink_to("/proc/self/mem")  # whose first byte is an input/output error
    sent.put(made)
    sent.put(desk(1))
    sent.drain()
    assert farm.names("taken") == ["1"]
    assert not made.path.exists()


def test_a_picture_outlasts_a_lack_of_open_files(
    sent: Deliveries, desk: Callable[[int], Desk], farm: FolderFarm, wait_for: Waiting,
    caplog: pytest.LogCaptureFixture
) -> None:
    made = desk(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        sent.put(made)
        wait_for(lambda: "Too many open files" in caplog.text)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_for(lambda: farm.names("taken") == ["0"])
    assert sent.finish() == 0
    assert not made.path.exists()


def test_a_wish_to_stop_ends_the_wait_for_room(
    sent: Deliveries, desk: Callable[[int], Desk], farm: FolderFarm, stop: Stop
) -> None:
    farm.set("hold")
    for frame in range(3):
        sent.put(desk(frame))
    stop.ask()
    sent.wait_for_room()
    farm.clear("hold")
    assert sent.finish() == 0
    assert len(farm.names("taken")) == 3
