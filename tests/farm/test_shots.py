"""What a factory of Browsershots locks, visits and delivers, past the wire."""

from dataclasses import replace

from tests.conftest import HEIGHT, WIDTH, World, picture

from sheepfold.farm import shots
from sheepfold.farm.accounts import add_key
from sheepfold.farm.browsers import add_browser
from sheepfold.farm.repeating import render_again
from sheepfold.farm.upkeep import expire_leases
from sheepfold.model.browsers import BrowserProgram, Screen
from sheepfold.model.tasks import TaskState
from sheepfold.store import accounts as account_rows

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def test_a_late_picture_of_a_view_that_is_made_once_more_is_taken(world: World):
    eager = replace(world.farm.settings, browsershots_load_limit=0, browsershots_throttle_s=0)
    world.farm = replace(world.farm, settings=eager)
    job, ann = world.order(), world.account("ann")
    add_key(world.farm, "ann", "argo")
    add_browser(world.farm, ann, "argo", BrowserProgram("Firefox", "128.0", AGENT), "linux", Screen(WIDTH, HEIGHT, 24))
    machine = world.farm.db.read(lambda tx: account_rows.find_machine(tx, "argo"))
    maker = shots.maker_of(machine, "browsershots")

    def deliver(seed: int, after_s: int) -> TaskState:
        shot = shots.poll(world.farm, maker, machine)
        shots.visit(world.farm, maker, machine, shot.task_id, (AGENT, f"password{seed}"))
        world.clock.advance(after_s)
        expire_leases(world.farm)
        with world.spooled(picture(seed)) as spool:
            shots.deliver(world.farm, maker, shot.task_id, spool.finish())
        return world.task(shot.task_id).state

    assert deliver(3, 0) is TaskState.DONE
    world.do_chores()
    render_again(world.farm, ann, job.id, 0)
    assert deliver(4, eager.browsershots_lock_s + 1) is TaskState.DONE
