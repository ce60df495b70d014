"""The bell: it rings for what matters, and for nothing else."""

import asyncio

from sheepfold.farm.farm import Farm
from sheepfold.model.events import What
from sheepfold.protocols.bell import MAKES_WORK, POLL_S, Bell
from sheepfold.store import accounts as account_rows


def heard(farm: Farm, deed, wish, wait_s) -> bool:
    """Do something while somebody listens; say whether the bell woke them."""

    async def listen() -> bool:
        async with Bell(farm).ear(wish) as ear:
            await asyncio.to_thread(deed)
            return await ear.wait(wait_s)

    return asyncio.run(listen())


def makes_work(event):
    return event.what in MAKES_WORK


def test_order_rings(site):
    client = site.client()
    assert heard(site.farm, lambda: site.order(client), makes_work, 60)


def test_commit_without_an_event_does_not_ring(site):
    def touch():
        for _ in range(5):
            site.farm.db.write(lambda tx: account_rows.find_account(tx, "ann"))

    assert not heard(site.farm, touch, lambda event: True, POLL_S / 4)


def test_event_that_nobody_wishes_for_does_not_ring(site):
    client = site.client()
    site.order(client)
    link = site.link()
    assert not heard(site.farm, lambda: link.claim(site.abilities), makes_work, POLL_S / 4)


def test_lease_given_back_rings(site):
    site.order(site.client())
    link = site.link()
    work = link.claim(site.abilities)
    assert heard(site.farm, lambda: link.give_up(work, "", None, failed=False), makes_work, 60)


def test_event_before_the_wait_is_not_missed(site):
    client = site.client()

    async def order_then_wait() -> bool:
        async with Bell(site.farm).ear(lambda event: event.what is What.JOB_ORDERED) as ear:
            await asyncio.to_thread(site.order, client)
            await asyncio.sleep(POLL_S / 4)
            return await ear.wait(60)

    assert asyncio.run(order_then_wait())


def test_bell_rings_again_after_all_had_left(site):
    client = site.client()

    async def twice() -> list[bool]:
        bell = Bell(site.farm)
        rung = []
        for _ in range(2):
            async with bell.ear(makes_work) as ear:
                await asyncio.to_thread(site.order, client)
                rung.append(await ear.wait(60))
            await asyncio.sleep(POLL_S * 1.5)
        return rung

    assert asyncio.run(twice()) == [True, True]
