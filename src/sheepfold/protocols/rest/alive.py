"""Which browsers are there now: those of Browsershots' factories, and those of workers with a session of ours."""

from sheepfold.farm.browsers import abilities_alive, list_factories
from sheepfold.farm.farm import Farm
from sheepfold.kinds.registry import module_of
from sheepfold.kinds.seam import Spec
from sheepfold.model.browsers import abilities_of, browsers_alive
from sheepfold.model.matching import Abilities, satisfies
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.browser_wire import AliveList, AliveOut
from sheepfold.protocols.rest.callers import abilities_told

FACTORIES = "browsershots"
SCREENSHOT = "screenshot"
NAMED = 5
"""How many pictures that nobody makes are told one by one."""


def alive_list(farm: Farm) -> AliveList:
    """Write the browsers that machines have which are here now, as the page for orders too shows them."""
    return AliveList(browsers=[
        AliveOut(platform=one.platform, name=one.name, engine=one.engine, versions=list(one.versions),
                 sizes=list(one.sizes), machines=one.machines, driven=one.is_driven)
        for one in browsers_alive(_machines(farm), wire.PROTOCOL)
    ])


def remarks_on_views(farm: Farm, spec: Spec) -> list[str]:
    """Return what a customer should know of an order of screenshots: which of them nobody who is here can make."""
    split, views = module_of(SCREENSHOT, "split"), module_of(SCREENSHOT, "spec").views(spec)
    here = [abilities for abilities, _ in _machines(farm)]
    waiting = [f"{' '.join(filter(None, (view.browser, view.version)))} on {view.platform or 'any platform'}, "
               f"{view.width} wide"
               for view in views if not any(satisfies(one, split.needs_of(spec, view)) for one in here)]
    if not waiting:
        return []
    named = "; ".join(waiting[:NAMED]) + ("; and others" if len(waiting) > NAMED else "")
    return [f"{len(waiting)} of {len(views)} pictures wait until a machine comes that makes them: {named}."]


def _machines(farm: Farm) -> list[tuple[Abilities, int]]:
    """Return what the machines can do that are here now, and how many can do just that."""
    now = farm.now()
    told = [(abilities_of(one, FACTORIES, now), 1) for one in list_factories(farm) if one.is_active(now)]
    return told + [(abilities_told(text), machines) for text, machines in abilities_alive(farm, wire.PROTOCOL)]
