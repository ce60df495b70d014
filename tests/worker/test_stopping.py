import os
import signal
import threading

import pytest

from sheepfold.worker import stopping
from sheepfold.worker.stopping import Stop, run_until_done


def test_the_second_wish_is_urgent() -> None:
    stop = Stop()
    assert not stop.is_asked
    stop.ask()
    assert stop.is_asked
    assert not stop.is_urgent
    stop.ask()
    assert stop.is_urgent


def test_listeners_hear_of_each_wish_while_they_listen() -> None:
    stop, heard = Stop(), []
    with stop.telling(lambda: heard.append(stop.is_urgent)):
        stop.ask()
        stop.ask()
    stop.ask()
    assert heard == [False, True]


def test_a_listener_that_comes_late_hears_at_once() -> None:
    stop, heard = Stop(), []
    stop.ask()
    with stop.telling(lambda: heard.append(1)):
        assert heard == [1]


def test_a_pause_ends_with_the_wish_to_stop() -> None:
    stop = Stop()
    stop.ask()
    stop.pause(1000)


def test_signals_become_wishes_and_handlers_come_back() -> None:
    stop, before = Stop(), signal.getsignal(signal.SIGTERM)

    def deed() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        stop.pause(1000)
        os.kill(os.getpid(), signal.SIGINT)
        while not stop.is_urgent:
            pass

    run_until_done(deed, stop)
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_urgent_stop_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "URGENT_S", 0.1)
    stop, never = Stop(), threading.Event()

    def deed() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        stop.pause(1000)
        os.kill(os.getpid(), signal.SIGTERM)
        never.wait(20)

    run_until_done(deed, stop)
    assert stop.is_urgent
    never.set()


def test_what_goes_wrong_comes_back() -> None:
    def deed() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run_until_done(deed, Stop())
