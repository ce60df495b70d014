"""A worker that is told to pause, to go on and to stop, in the midst of a render."""

import json
import threading

import pytest
from folder_farm import FolderLink
from test_machine import ENDLESS

from sheepfold.model.machines import Command, Wish, WorkRules
from sheepfold.worker import oversight, steps


class OverseenLink(FolderLink):
    """A line over which wishes come."""

    told = Wish()

    def wish(self):
        self._reach()
        return self.told


@pytest.fixture
def worker(worker, farm, monkeypatch):
    monkeypatch.setattr(oversight.Oversight.__init__, "__defaults__", (oversight.look, 0.02))
    monkeypatch.setattr(steps, "BUSY_PAUSE_S", 0.02)
    worker.link = OverseenLink(farm)
    return worker


def given(farm, handle):
    return json.loads((farm.path / "given" / f"{handle}.json").read_text())


@pytest.mark.parametrize("wish", [Wish(Command.PAUSE), Wish(rules=WorkRules(hours="5-5", mains_only=True))],
                         ids=["pause", "battery"])
def test_a_render_is_given_back_and_none_begun_until_the_machine_may_work(worker, farm, wait_for, wish, monkeypatch):
    if wish.command is Command.WORK:
        here = oversight.Here(12, 0.0, True, None)
        monkeypatch.setattr(oversight.Oversight.__init__, "__defaults__", (lambda: here, 0.02))
    farm.order(1, **ENDLESS)
    ended = []
    thread = threading.Thread(target=lambda: ended.append(worker.run(once=False)))
    thread.start()
    wait_for(lambda: farm.names("leased") == ["000"])
    wait_for(lambda: list((worker.folder / "tasks").iterdir()))
    worker.link.told = wish
    wait_for(lambda: farm.names("given") == ["000"])
    told = given(farm, "000")
    assert (told["failed"], "may not work now" in told["reason"]) == (False, True)
    farm.order(1)
    threading.Event().wait(0.2)
    assert farm.names("leased") == []
    worker.link.told = Wish()
    wait_for(lambda: farm.names("taken"))
    worker.link.told = Wish(Command.STOP)
    thread.join(30)
    assert ended == [steps.End()]


def test_once_does_not_wait_for_other_hours(worker, farm):
    farm.order(1)
    worker.link.told = Wish(Command.PAUSE)
    farm.path.joinpath("paused").touch()
    worker.link.claim = _paused
    assert "paused" in worker.run().problem


def _paused(*_, **__):
    from sheepfold.protocols.link import FarmPaused

    raise FarmPaused("The machine is paused.")
