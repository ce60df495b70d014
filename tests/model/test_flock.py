"""The flock's numbers."""

from sheepfold.model.flock import FIRST_NUMBER, NUMBERS_IN_A_GENERATION, Sheep, SheepId, next_id
from sheepfold.model.jobs import JobId


def test_the_first_sheep_is_number_one_of_generation_one():
    assert next_id(None) == SheepId(1, FIRST_NUMBER) == SheepId(1, 1)


def test_ids_are_consecutive_within_a_generation():
    assert next_id(SheepId(3, 41)) == SheepId(3, 42)


def test_the_last_number_of_five_digits_is_given():
    assert next_id(SheepId(3, NUMBERS_IN_A_GENERATION - 2)) == SheepId(3, 99_999)


def test_a_full_generation_opens_the_next_without_a_number_zero():
    assert next_id(SheepId(3, 99_999)) == SheepId(4, FIRST_NUMBER)


def test_ids_order_by_generation_then_number():
    assert sorted([SheepId(2, 1), SheepId(1, 9), SheepId(1, 2)]) == [SheepId(1, 2), SheepId(1, 9), SheepId(2, 1)]


def test_a_loop_ends_where_it_began():
    assert Sheep(SheepId(1, 5), JobId(1000), 5, 5).is_loop
    assert not Sheep(SheepId(1, 6), JobId(1001), 4, 5).is_loop


def test_a_loop_is_its_own_keyframe():
    assert not Sheep(SheepId(1, 6), JobId(1001), 5, 5).is_loop
