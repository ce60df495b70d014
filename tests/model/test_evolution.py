"""The rules by which a flock lives by itself."""

import random
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sheepfold.model.evolution import Breed, Goals, Join, Member, Method, Retire, next_step
from sheepfold.model.flock import Sheep, SheepId
from sheepfold.model.jobs import JobId

GOALS = Goals(loops=4)


def loop(number: int, rating: int = 0, *, filmed: bool = True) -> Member:
    return Member(Sheep(SheepId(1, number), JobId(1000 + number), number, number, rating), not filmed, filmed)


def edge(number: int, first: int, last: int, *, filmed: bool = True) -> Member:
    return Member(Sheep(SheepId(1, number), JobId(1000 + number), first, last), not filmed, filmed)


def lost(number: int, first: int, last: int) -> Member:
    return replace(edge(number, first, last), is_filmed=False, is_lost=True)


def numbers(step: Retire) -> list[int]:
    return [sheep.id.number for sheep in step.sheep]


def test_an_empty_flock_begins_with_a_random_genome():
    assert next_step([], GOALS, lambda: 0.0) == Breed(Method.RANDOM, ())


def test_a_single_loop_mutates_and_is_not_joined_with_itself():
    only = loop(1)
    assert next_step([only], GOALS, lambda: 0.5) == Breed(Method.MUTATE, (only.sheep,))


def test_of_barren_loops_nothing_is_bred():
    members = [loop(1), loop(2), edge(3, 1, 2), edge(4, 2, 1)]
    barren, fertile = members[0].sheep, members[1].sheep
    assert next_step(members, GOALS, lambda: 0.0, {barren.id}) == Breed(Method.MUTATE, (fertile,))
    assert next_step(members, GOALS, lambda: 0.0, {barren.id, fertile.id}) == Breed(Method.RANDOM, ())


def test_nothing_is_begun_while_enough_is_being_rendered():
    assert next_step([loop(1), loop(2, filmed=False), loop(3, filmed=False)], GOALS, lambda: 0.0) is None


def test_two_loops_are_joined_before_more_are_bred():
    one, two = loop(1), loop(2)
    assert next_step([one, two], GOALS, lambda: 0.0) == Join(one.sheep, two.sheep)
    members = [one, two, edge(3, 1, 2, filmed=False)]
    assert next_step(members, GOALS, lambda: 0.0) == Join(two.sheep, one.sheep)
    members = [one, two, edge(3, 1, 2), edge(4, 2, 1)]
    assert isinstance(next_step(members, GOALS, lambda: 0.0), Breed)


def test_an_edge_leads_to_the_loop_that_the_fewest_reach():
    members = [loop(1), loop(2), loop(3), edge(4, 1, 2), edge(5, 3, 2), edge(6, 3, 1)]
    step = next_step(members, GOALS, lambda: 0.0)
    assert isinstance(step, Join)
    assert (step.first.id.number, step.last.id.number) == (2, 3)


def joined(*members: Member) -> tuple[int, int] | None:
    """Return the loops that an edge shall join next, of a flock of four; None where none shall."""
    step = next_step([*(loop(number) for number in range(1, 5)), *members], GOALS, lambda: 0.0)
    return (step.first.id.number, step.last.id.number) if isinstance(step, Join) else None


def test_an_edge_that_was_lost_is_tried_again_after_the_others():
    members = [lost(5, 1, 2)]
    assert joined(*members) == (1, 3)
    members += [edge(6, 1, 3)]
    members += [edge(10 * one + two, one, two) for one in (2, 3, 4) for two in (1, 3, 4) if one != two]
    assert joined(*members) == (1, 4)
    assert joined(*members, lost(7, 1, 4)) == (1, 2)


def test_a_loop_that_loses_all_its_edges_keeps_no_others_from_being_joined_or_bred():
    members = [lost(5, 1, 2), lost(6, 1, 3), lost(7, 1, 4)]
    members += [edge(10 * one + two, one, two) for one in (2, 3, 4) for two in (2, 3, 4) if one != two]
    assert joined(*members[:-1]) == (4, 3)
    assert joined(*members) is None


def test_the_loop_that_is_liked_least_retires_with_its_edges():
    members = [loop(1, 3), loop(2, -1), loop(3), loop(4), loop(5), edge(6, 1, 2), edge(7, 3, 4), edge(8, 2, 5)]
    step = next_step(members, GOALS, lambda: 0.0)
    assert isinstance(step, Retire)
    assert numbers(step) == [2, 6, 8]
    assert numbers(next_step([*members, lost(9, 2, 4)], GOALS, lambda: 0.0)) == [2, 6, 8, 9]


def test_of_loops_that_are_liked_the_same_the_oldest_retires():
    step = next_step([loop(number) for number in (4, 2, 3, 5, 9)], GOALS, lambda: 0.0)
    assert isinstance(step, Retire)
    assert numbers(step) == [2]


def test_parents_are_two_and_the_liked_have_more_children():
    chance = random.Random(1).random
    loops = [loop(1, 10), loop(2), loop(3), loop(4, -10)]
    edges = [edge(10 * first + last, first, last) for first in range(1, 5) for last in range(1, 5) if first != last]
    steps = [next_step([*loops, *edges], GOALS, chance) for _ in range(2000)]
    bred = [step for step in steps if isinstance(step, Breed)]
    assert len(bred) == 2000
    assert all(len(set(step.parents)) == {"cross": 2, "mutate": 1, "random": 0}[step.method] for step in bred)
    methods = Counter(step.method for step in bred)
    assert methods[Method.CROSS] > methods[Method.MUTATE] > methods[Method.RANDOM] > 100
    children = Counter(parent.id.number for step in bred for parent in step.parents)
    assert children[1] > children[2] > children[4] > 0


@given(
    ratings=st.lists(st.integers(-5, 5), max_size=12),
    pairs=st.sets(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=20),
    seed=st.integers(0, 99),
)
def test_a_flock_that_does_as_it_is_told_comes_to_its_goals_and_stays_there(
    ratings: list[int], pairs: set[tuple[int, int]], seed: int
):
    chance = random.Random(seed).random
    members = [loop(number, rating) for number, rating in enumerate(ratings, 1)]
    pairs = {(first, last) for first, last in pairs if first != last and max(first, last) <= len(ratings)}
    members += [edge(100 + number, *pair) for number, pair in enumerate(sorted(pairs))]
    for number in range(200, 260):
        match next_step(members, GOALS, chance):
            case Retire(sheep):
                members = [member for member in members if member.sheep not in sheep]
            case Breed():
                members.append(loop(number))
            case Join(first, last):
                members.append(edge(number, first.id.number, last.id.number))
    living = {member.sheep.id.number for member in members if member.sheep.is_loop}
    assert GOALS.loops <= len(living) <= GOALS.loops + 1
    edges = [member.sheep for member in members if not member.sheep.is_loop]
    assert all({one.first, one.last} <= living for one in edges)
    assert len({(one.first, one.last) for one in edges}) == len(edges)
