"""Being forgotten: whole or not at all, under a name that nobody else bears or can choose."""

from dataclasses import replace

import pytest
from tests.conftest import World

from sheepfold.farm import people, privacy
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.model.accounts import Account, Role
from sheepfold.model.errors import InvalidName
from sheepfold.store import accounts as account_rows
from sheepfold.store import people as people_rows
from sheepfold.store import views as view_rows

PASSWORD = "a long enough one"


@pytest.fixture
def kim(world: World) -> Account:
    account = add_account(world.farm, "kim", Role.VOLUNTEER, PASSWORD)
    for machine in ("box", "laptop"):
        add_key(world.farm, "kim", machine)
    return account


def machines(world: World, account: Account) -> dict[str, int]:
    """Return an account's machines by name, with their ids."""
    found = world.farm.db.read(lambda tx: view_rows.machines_of(tx, account.id))
    return {machine.name: machine.id for machine in found}


@pytest.mark.parametrize("name", ["gone-7", " Gone-fishing"])
def test_nobody_chooses_a_name_that_the_forgotten_bear(world, name):
    open_to_all = replace(world.farm, settings=replace(world.farm.settings, sign_up="open"))
    world.account("ann")
    for deed in (lambda: add_account(world.farm, name, Role.ARTIST, ""),
                 lambda: people.make_owner(world.farm, name, PASSWORD),
                 lambda: people.sign_up(open_to_all, name, PASSWORD),
                 lambda: add_key(world.farm, "ann", name)):
        with pytest.raises(InvalidName, match="gone-"):
            deed()


def test_a_machine_that_has_such_a_name_from_before_gets_keys_still(world):
    ann = world.account("ann")
    world.farm.db.write(lambda tx: account_rows.ensure_machine(tx, ann.id, "gone-fishing", 1))
    assert add_key(world.farm, "ann", "gone-fishing").machine.name == "gone-fishing"


def test_who_wants_it_is_forgotten_though_others_bear_such_names_from_before(world, kim):
    eve, own = world.account("eve"), machines(world, kim)

    def take(tx):
        for name in (f"gone-{kim.id}", f"gone-{kim.id}-2"):
            account_rows.add_account(tx, name, Role.VOLUNTEER, "", 1)
        account_rows.ensure_machine(tx, eve.id, f"gone-machine-{own['box']}", 1)

    world.farm.db.write(take)
    privacy.forget_person(world.farm, kim, PASSWORD)
    gone = people.view_person(world.farm, kim.id)
    assert (gone.account.name, gone.closed_at) == (f"gone-{kim.id}-3", world.clock.now)
    assert machines(world, kim) == {f"gone-machine-{own['box']}-2": own["box"],
                                    f"gone-machine-{own['laptop']}": own["laptop"]}


def test_forgetting_that_broke_off_has_closed_nothing(world, kim, monkeypatch):
    token = people.sign_in(world.farm, "kim", PASSWORD, "Netscape 4")
    with monkeypatch.context() as patched:
        patched.delattr(people_rows, "forget_machines")
        with pytest.raises(AttributeError):
            privacy.forget_person(world.farm, kim, PASSWORD)
    assert people.view_person(world.farm, kim.id).closed_at is None
    assert people.visitor_of(world.farm, token) is not None
    assert set(machines(world, kim)) == {"box", "laptop"}
