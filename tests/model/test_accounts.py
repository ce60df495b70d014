"""Accounts: their names and roles."""

import pytest

from sheepfold.model.accounts import Role, checked_name
from sheepfold.model.errors import InvalidName


@pytest.mark.parametrize(
    ("written", "stored"),
    [("ann", "ann"), (" Ann ", "ann"), ("BOX-7_b", "box-7_b"), ("a" * 48, "a" * 48)],
)
def test_a_name_is_stored_in_small_letters(written: str, stored: str):
    assert checked_name(written) == stored


@pytest.mark.parametrize(
    "name", ["", " ", "7up", "-box", "_box", "a" * 49, "a b", "a.b", "a/b", "grün", "a\nb", "a\x00b"]
)
def test_a_name_outside_the_alphabet_is_refused(name: str):
    with pytest.raises(InvalidName, match="begins with a letter"):
        checked_name(name)


def test_a_refusal_shows_the_name_shortened():
    with pytest.raises(InvalidName) as refused:
        checked_name("?" * 500)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    ("role", "covered"),
    [
        (Role.VOLUNTEER, {Role.VOLUNTEER}),
        (Role.ARTIST, {Role.VOLUNTEER, Role.ARTIST}),
        (Role.OWNER, {Role.VOLUNTEER, Role.ARTIST, Role.OWNER}),
    ],
)
def test_a_role_covers_itself_and_what_stands_before_it(role: Role, covered: set[Role]):
    assert {other for other in Role if role.covers(other)} == covered
