"""People's addresses: who has proven one, and the letters that go there."""

import pytest
from tests.conftest import World

from sheepfold.farm import people
from sheepfold.farm.tries import MOST_TRIES, WINDOW_S
from sheepfold.model.accounts import Account
from sheepfold.model.errors import BadInput, TooManyTries


def letters(world: World) -> list[str]:
    """Return the letters of the outbox."""
    outbox = world.farm.settings.data / "outbox"
    return [path.read_text("utf-8") for path in outbox.iterdir()] if outbox.exists() else []


def code_for(world: World, deed) -> str:
    """Do what sends a letter; returns the code in it."""
    before = letters(world)
    deed()
    (letter,) = [one for one in letters(world) if one not in before]
    return letter.split()[-1]


def prove(world: World, account: Account, email: str) -> None:
    """Set an account's address and prove it."""
    people.verify_email(world.farm, account, code_for(world, lambda: people.set_email(world.farm, account, email)))


@pytest.mark.parametrize("address", ["boss@farm.example", ""])
def test_a_code_proves_no_other_address_than_the_one_it_was_sent_to(world, address):
    eve = world.account("eve")
    code = code_for(world, lambda: people.set_email(world.farm, eve, "eve@evil.example"))
    people.set_email(world.farm, eve, address)
    with pytest.raises(BadInput):
        people.verify_email(world.farm, eve, code)
    assert not people.view_person(world.farm, eve.id).is_verified


def test_a_new_password_is_sent_to_who_has_proven_the_address_first(world, clock):
    eve, twin, boss = (world.account(name) for name in ("eve", "twin", "boss"))
    people.set_email(world.farm, eve, "boss@farm.example")
    prove(world, boss, "boss@farm.example")
    clock.advance(1)
    prove(world, twin, "boss@farm.example")
    code = code_for(world, lambda: people.ask_reset(world.farm, "boss@farm.example"))
    assert people.reset_password(world.farm, code, "a new long one") == boss


@pytest.mark.parametrize("change", [
    lambda farm, ann: people.set_email(farm, ann, "ann@new.example"),
    lambda farm, ann: people.set_email(farm, ann, ""),
    lambda farm, ann: people.set_password(farm, ann, "another long one"),
], ids=["another address", "no address", "another password"])
def test_a_new_password_can_no_longer_be_set_from_letters_of_before(world, change):
    ann = world.account("ann")
    prove(world, ann, "ann@old.example")
    code = code_for(world, lambda: people.ask_reset(world.farm, "ann@old.example"))
    change(world.farm, ann)
    with pytest.raises(BadInput):
        people.reset_password(world.farm, code, "a stranger's long one")


@pytest.mark.parametrize("address", [
    "a@x.example,b@y.example", "a@x.example;b@y.example", "a@x.example b@y.example", "a@x@y.example", "a\nb@x.example",
    "<a@x.example>", "Ann (a@x.example)", '"ann"@x.example', "list:a@x.example", "a\\@x.example", "a@\u202ex.example",
    "a\u00a0b@x.example", "@x.example", "a@", "ann", "a" * 250 + "@x.example",
])
def test_a_letter_goes_to_one_address(world, address):
    with pytest.raises(BadInput, match="An e-mail address is like"):
        people.set_email(world.farm, world.account("eve"), address)
    assert letters(world) == []


@pytest.mark.parametrize("address", ["ann@example.org", " Ann.O'Neil+farm@mail.example.org ", "50%_off!@example.org",
                                     "änne@bücher.example", "root@localhost"])
def test_whoever_has_an_address_can_give_it(world, address):
    prove(world, world.account("ann"), address)
    assert people.view_person(world.farm, world.account("ann").id).email == address.strip()


def test_an_account_has_few_letters_sent(world, clock):
    eve = world.account("eve")
    for number in range(MOST_TRIES):
        people.set_email(world.farm, eve, f"stranger-{number}@example.org")
    for _ in range(3):
        with pytest.raises(TooManyTries, match="letters"):
            people.set_email(world.farm, eve, "one-more@example.org")
    assert len(letters(world)) == MOST_TRIES
    assert people.view_person(world.farm, eve.id).email == f"stranger-{MOST_TRIES - 1}@example.org"
    people.set_email(world.farm, world.account("ann"), "ann@example.org")
    people.set_email(world.farm, eve, "")  # that sends none
    clock.advance(WINDOW_S)
    people.set_email(world.farm, eve, "eve@example.org")


def test_nobody_is_flooded_with_new_passwords_or_learns_that_it_was_tried(world):
    prove(world, world.account("ann"), "ann@example.org")
    before = len(letters(world))
    for _ in range(2 * MOST_TRIES):
        people.ask_reset(world.farm, "ann@example.org")
    assert len(letters(world)) == before + MOST_TRIES
