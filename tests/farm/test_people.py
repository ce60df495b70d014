"""People's addresses: who has proven one, and the letters that go there."""

import pytest
from tests.conftest import World

from sheepfold.farm import people
from sheepfold.model.accounts import Account
from sheepfold.model.errors import BadInput


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
