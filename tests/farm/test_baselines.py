"""Pictures of a page are accepted, and later ones held against them."""

import pytest

from sheepfold.farm.baselines import NoBaseline, NotDone, accept, changes_of
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Forbidden, UnknownJob


def shot(world, colours: int = 0, **spec):
    """Order a page's screenshots, have them made, and compared."""
    job = world.order(frames=2, baseline="home", **spec)
    world.make_all(world.maker("argo"), first=colours)
    world.do_chores()
    return job


def test_the_first_pictures_are_accepted_by_themselves(world):
    found = changes_of(world.farm, shot(world).id)
    assert (found.baseline, found.is_accepted, found.changed) == (None, True, [])


def test_the_same_pictures_again_changed_nothing(world):
    first, again = shot(world), shot(world)
    found = changes_of(world.farm, again.id)
    assert (found.baseline, found.is_accepted) == (first.id, False)
    assert [view["state"] for view in found.views] == ["same", "same"]


def test_other_pictures_are_shown_until_they_are_accepted(world):
    first, other = shot(world), shot(world, colours=1)
    found = changes_of(world.farm, other.id)
    assert [view["state"] for view in found.changed] == ["changed", "changed"]
    assert found.changed[0]["share"] >= found.changed[1]["share"] > 0
    accept(world.farm, world.account("ann"), other.id)
    accept(world.farm, world.account("ann"), other.id)
    assert changes_of(world.farm, other.id).is_accepted
    assert not changes_of(world.farm, first.id).is_accepted
    third = shot(world, colours=1)
    assert (changes_of(world.farm, third.id).baseline, changes_of(world.farm, third.id).changed) == (other.id, [])


def test_a_name_is_its_accounts_own(world):
    shot(world)
    assert changes_of(world.farm, shot(world, colours=1, account="bob").id).baseline is None


def test_only_the_customer_and_the_owner_accept(world):
    shot(world)
    job = shot(world, colours=1)
    with pytest.raises(Forbidden):
        accept(world.farm, world.account("bob"), job.id)
    accept(world.farm, world.account("boss", Role.OWNER), job.id)
    assert changes_of(world.farm, job.id).is_accepted


def test_what_is_not_there_yet_cannot_be_accepted(world):
    job = world.order(baseline="home")
    with pytest.raises(NotDone):
        accept(world.farm, world.account("ann"), job.id)
    with pytest.raises(NoBaseline):
        changes_of(world.farm, job.id)


def test_an_order_without_a_baseline_has_no_changes(world):
    job = world.order()
    world.make_all(world.maker("argo"))
    world.do_chores()
    for ask in (lambda: changes_of(world.farm, job.id), lambda: accept(world.farm, world.account("ann"), job.id)):
        with pytest.raises(NoBaseline):
            ask()
    with pytest.raises(UnknownJob):
        changes_of(world.farm, job.id + 1)


def test_what_was_compared_agrees_with_the_books(world):
    shot(world)
    shot(world, colours=1)
    assert world.findings() == []
