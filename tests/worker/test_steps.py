from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sheepfold.protocols.link import Work
from sheepfold.worker import steps
from sheepfold.worker.steps import (
    TRIES_ONCE,
    Busy,
    Claim,
    Cramped,
    Drain,
    Drained,
    End,
    Failed,
    Granted,
    Hindered,
    Made,
    Make,
    Nothing,
    Open,
    Opened,
    Pause,
    Paused,
    Refused,
    Rules,
    Started,
    State,
    StopAsked,
    Unreachable,
    after,
)

WORK = Work("7", "flame", {}, 1, 0, 60, {})
FOREVER, ONCE = Rules(), Rules(once=True)
unreachable = st.builds(Unreachable, st.just("away"), st.none() | st.integers(0, 100))
# What may follow a step in the loop.
OUTCOMES: dict[type, st.SearchStrategy[steps.Event]] = {
    Open: st.just(Opened()) | unreachable | st.just(Refused("no")),
    Claim: st.just(Granted(WORK)) | st.just(Nothing()) | st.just(Busy(9.5)) | st.just(Hindered("full")) | unreachable,
    Make: st.just(Made()) | st.just(Failed()) | st.just(Cramped("full")) | unreachable,
    Drain: st.builds(Drained, st.booleans()) | unreachable,
    Pause: st.just(Paused()) | st.just(StopAsked()),
}
reached: Counter[str] = Counter()


@settings(max_examples=400)
@given(st.data(), st.booleans())
def test_the_rules_hold_on_every_way_a_worker_can_go(data: st.DataObject, once: bool) -> None:
    rules = Rules(once=once)
    state, step = after(State(), Started(), rules, 0.5)
    for _ in range(40):
        reached[type(step).__name__] += 1
        if isinstance(step, End):
            return
        if isinstance(step, Claim | Make | Drain):
            assert state.is_open
        if isinstance(step, Pause):
            assert 0 < step.seconds <= 160
            assert step.why
        assert rules.once or not isinstance(step, Drain)
        event = data.draw(OUTCOMES[type(step)])
        state, step = after(state, event, rules, data.draw(st.floats(0, 1)))
        assert isinstance(step, Make) is isinstance(event, Granted)
        assert not isinstance(event, Refused | StopAsked) or isinstance(step, End)


def test_the_walk_above_reached_every_step() -> None:
    test_the_rules_hold_on_every_way_a_worker_can_go()
    assert {kind.__name__ for kind in (Open, Claim, Make, Drain, Pause, End)} == set(reached)


def test_no_work_means_a_pause_that_grows() -> None:
    state, first = after(State(is_open=True), Nothing(), FOREVER, 1)
    state, second = after(state, Nothing(), FOREVER, 1)
    assert isinstance(first, Pause)
    assert isinstance(second, Pause)
    assert second.seconds > first.seconds
    assert after(state, Granted(WORK), FOREVER, 1)[0].idle == 0


def test_an_open_line_alone_does_not_shorten_the_pauses() -> None:
    state, _ = after(State(), Unreachable("away"), FOREVER, 1)
    state, _ = after(state, Opened(), FOREVER, 1)
    _, step = after(state, Unreachable("away"), FOREVER, 1)
    assert step == Pause(4, "away")


def test_a_farm_that_was_away_is_opened_anew() -> None:
    state, _ = after(State(is_open=True), Unreachable("away"), FOREVER, 1)
    assert after(state, Paused(), FOREVER, 1)[1] == Open()


def test_after_another_pause_the_line_is_still_open() -> None:
    state, _ = after(State(is_open=True), Busy(3.0), FOREVER, 1)
    assert after(state, Paused(), FOREVER, 1)[1] == Claim()


def test_once_ends_when_nothing_is_left_to_do_or_to_deliver() -> None:
    state, step = after(State(is_open=True), Nothing(), ONCE, 1)
    assert step == Drain()
    assert after(state, Drained(was_empty=False), ONCE, 1)[1] == Claim()
    assert after(state, Drained(was_empty=True), ONCE, 1)[1] == End()


def test_once_gives_up_a_farm_that_stays_away() -> None:
    state, step = State(), None
    for _ in range(TRIES_ONCE):
        state, step = after(state, Unreachable("away"), ONCE, 1)
    assert step == End("away")


def test_without_once_a_farm_may_stay_away_for_years() -> None:
    state, step = State(), None
    for _ in range(10_000):
        state, step = after(state, Unreachable("away"), FOREVER, 1)
    assert isinstance(step, Pause)


def test_one_failed_render_is_no_reason_to_wait_but_two_in_a_row_are() -> None:
    state, step = after(State(is_open=True), Failed(), FOREVER, 1)
    assert step == Claim()
    state, step = after(state, Failed(), FOREVER, 1)
    assert isinstance(step, Pause)
    assert after(after(state, Made(), FOREVER, 1)[0], Failed(), FOREVER, 1)[1] == Claim()


def test_a_full_disk_is_waited_for_longer_each_time_until_a_task_is_made() -> None:
    state, step = State(is_open=True), None
    waits = []
    for _ in range(8):
        state, step = after(state, Cramped("full"), FOREVER, 1)
        assert isinstance(step, Pause)
        waits.append(step.seconds)
        assert after(state, Paused(), FOREVER, 1)[1] == Claim()
    assert waits == sorted(waits)
    assert waits[0] > 15
    assert waits[-1] == 120
    state, _ = after(state, Made(), FOREVER, 1)
    assert after(state, Cramped("full"), FOREVER, 1)[1] == Pause(waits[0], "full")


def test_once_does_not_wait_for_room() -> None:
    assert after(State(is_open=True), Cramped("full"), ONCE, 1)[1] == End("full")


def test_the_farms_wish_is_obeyed() -> None:
    _, step = after(State(), Unreachable("later", 300), FOREVER, 0)
    assert step == Pause(300, "later")
