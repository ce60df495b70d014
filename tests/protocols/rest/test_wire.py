"""Laws of the wire's types, and that every error of the farm has a number."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sheepfold.model import matching
from sheepfold.model.errors import SheepfoldError
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import JobState
from sheepfold.model.tasks import LeaseState, Soundness, TaskState, Verdict
from sheepfold.protocols.rest import problem_wire, wire

names = st.text(string.ascii_letters + string.digits + " .-é羊", min_size=1, max_size=60)
programs = st.builds(matching.Program, names, st.text("0123456789.", max_size=20))
ids = st.integers(0, wire.MOST_ID)
counts = st.integers(0, 2**40)
moments = st.integers(0, 2**40)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
numbers = st.floats(allow_nan=False, allow_infinity=False)
plain = st.dictionaries(texts, st.recursive(texts | counts | st.booleans() | st.none() | numbers,
                                            lambda one: st.lists(one, max_size=3), max_leaves=5), max_size=4)
abilities = st.builds(
    matching.Abilities,
    kinds=st.frozensets(names, min_size=1, max_size=4),
    renderers=st.frozensets(programs, max_size=4),
    browsers=st.frozensets(programs, max_size=4),
    platform=names,
    protocol=st.just("rest"),
    sizes=st.frozensets(st.tuples(st.integers(1, 9999), st.integers(1, 9999)), max_size=4),
    depths=st.frozensets(st.integers(1, 64), max_size=3),
    memory_mib=counts,
    cpu=st.booleans(),
    gpu=st.booleans(),
)
receipts = st.builds(wire.ResultReceipt, result=ids, digest=digests, verdict=st.sampled_from(Verdict),
                     soundness=st.sampled_from(Soundness), reason=texts, task_state=st.sampled_from(TaskState))
events = st.builds(wire.EventOut, id=ids, at=moments, what=st.sampled_from(What), job=ids, task=st.none() | ids,
                   detail=plain)
leases = st.builds(wire.LeaseOut, id=ids, machine=names, account=names, protocol=names,
                   state=st.sampled_from(LeaseState), granted_at=moments, deadline_at=moments,
                   ended_at=st.none() | moments, reason=texts, figures=plain, log=st.none() | digests)
results = st.builds(wire.ResultOut, id=ids, lease=ids, digest=digests, submitted_at=moments,
                    verdict=st.sampled_from(Verdict), soundness=st.sampled_from(Soundness), reason=texts,
                    like=st.none() | ids, media_type=texts, width=counts, height=counts)
sheep = st.builds(wire.SheepOut, generation=counts, number=counts, job=ids, first=counts, last=counts,
                  rating=st.integers(-99, 99), film_size_bytes=st.none() | counts, film_digest=st.none() | digests,
                  film_made_at=st.none() | moments)
tasks = st.builds(wire.TaskSummary, id=ids, frame=counts, part=counts, state=st.sampled_from(TaskState),
                  openings=counts, active_leases=counts, has_preview=st.booleans())
products = st.builds(wire.Product, name=texts, digest=digests, media_type=texts, size_bytes=counts, made_at=moments)
jobs = st.builds(wire.JobDetail, id=ids, kind=names, title=texts, state=st.sampled_from(JobState), priority=counts,
                 quorum=counts, max_attempts=counts, created_at=moments, ended_at=st.none() | moments,
                 tasks_total=counts, tasks_done=counts, tasks_failed=counts, account=names, spec=plain,
                 inputs=st.dictionaries(names, digests, max_size=3), tasks=st.lists(tasks, max_size=2),
                 products=st.lists(products, max_size=2), sheep=st.none() | sheep, chores_waiting=counts)
stories = st.builds(wire.StoryOut, task=ids, job=ids, kind=names, title=texts, frame=counts, part=counts,
                    state=st.sampled_from(TaskState), events=st.lists(events, max_size=2),
                    leases=st.lists(leases, max_size=2), results=st.lists(results, max_size=2))
granted = st.builds(wire.LeaseGranted, lease=ids, task=ids, job=ids, title=texts, kind=names, spec=plain,
                    frame=counts, part=counts, deadline_at=moments, term_s=counts,
                    inputs=st.dictionaries(names, digests, max_size=3), has_input=st.booleans())
orders = st.builds(wire.JobOrder, kind=names, spec=plain, title=names, priority=st.integers(-100, 100),
                   quorum=st.integers(1, 5), max_attempts=st.integers(1, 50))
problems = st.builds(problem_wire.Problem, type=texts, title=texts, status=st.integers(400, 599), detail=texts,
                     job=st.none() | texts,
                     faults=st.lists(st.builds(problem_wire.Fault, where=texts, what=texts), max_size=2),
                     receipt=st.none() | receipts)


def all_errors(root=SheepfoldError):
    return [root, *(error for child in root.__subclasses__() for error in all_errors(child))]


@given(st.one_of(receipts, events, jobs, stories, granted, orders, problems, abilities.map(wire.Abilities.of)))
def test_every_message_is_read_as_it_was_written(message):
    assert type(message).model_validate_json(message.model_dump_json()) == message


@given(st.one_of(problems, orders))
def test_defaults_may_be_left_out(message):
    assert type(message).model_validate_json(message.model_dump_json(exclude_defaults=True)) == message


@given(abilities)
def test_abilities_travel_whole(able):
    assert wire.Abilities.model_validate_json(wire.Abilities.of(able).model_dump_json()).to_model() == able


@given(st.lists(events, max_size=5))
def test_stream_of_events_is_read_as_it_was_written(told):
    text = ": quiet\n\n" + "".join(wire.encode_event(event).decode() + ": quiet\n\n" for event in told)
    assert list(wire.decode_events(text.split("\n"))) == told


@given(events)
def test_event_stands_on_one_line_whatever_it_tells(event):
    assert wire.encode_event(event).count(b"\n") == 3


@pytest.mark.parametrize("error", all_errors())
def test_every_error_has_a_number_that_is_no_500(error):
    refusal = problem_wire.refusal_of(error)
    assert 400 <= refusal.status < 500 or refusal.status == 503
    assert refusal.title
    assert "x" in problem_wire.problem_of(error("x")).detail


def test_every_branch_of_the_tree_is_in_the_table():
    assert {error for error in SheepfoldError.__subclasses__() if error.__module__ == SheepfoldError.__module__} <= set(
        problem_wire.REFUSALS)


def test_names_of_problems_are_told_apart():
    types = [problem_wire.problem_type(error) for error in set(all_errors())
             if error.__module__ == SheepfoldError.__module__]
    assert len(types) == len(set(types))
    assert "/api/docs#lease-not-held" in types


@pytest.mark.parametrize("soundness", Soundness)
def test_every_soundness_of_an_invalid_result_has_an_error(soundness):
    receipt = wire.ResultReceipt(result=1, digest="a" * 64, verdict=Verdict.INVALID, soundness=soundness,
                                 reason="Because.", task_state=TaskState.OPEN)
    assert problem_wire.refusal_of(type(problem_wire.bad_result(receipt))).status == 422


def test_client_passes_over_what_a_newer_server_tells():
    told = wire.Deadline.model_validate_json('{"deadline_at": 1, "term_s": 2, "mood": "good"}')
    assert told == wire.Deadline(deadline_at=1, term_s=2)


def test_server_refuses_what_it_does_not_know():
    with pytest.raises(ValidationError, match="mood"):
        wire.LeaseAsked.model_validate_json('{"mood": "good"}')


@given(st.text(max_size=100))
def test_file_name_is_one_in_any_folder(name):
    if wire.is_file_name(name):
        assert "/" not in name
        assert "\\" not in name
        assert not name.startswith(".")
        assert name.isprintable()


def test_model_of_an_event_keeps_all_its_fields():
    event = Event(What.TASK_DONE, 1000, 7, {"a": 1}, 5, 9)
    assert wire.EventOut.of(event).model_dump() == {
        "id": 9, "at": 5, "what": "task done", "job": 1000, "task": 7, "detail": {"a": 1}}
