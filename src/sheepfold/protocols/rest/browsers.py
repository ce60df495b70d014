"""What owners of machines tell of their browsers, and customers of how long their screenshots are worth making."""

from typing import Annotated

from fastapi import APIRouter, Path

from sheepfold.farm import browsers
from sheepfold.farm.expiry import prolong
from sheepfold.farm.farm import Farm
from sheepfold.model.browsers import BrowserId
from sheepfold.model.jobs import JobId
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.alive import alive_list
from sheepfold.protocols.rest.browser_wire import AliveList, BrowserAsked, BrowserOut, Expiry, FactoryList, FactoryOut
from sheepfold.protocols.rest.callers import CallerHere, CancelerHere, FarmHere, KeyHolderHere
from sheepfold.protocols.rest.making import MakingRoute
from sheepfold.protocols.rest.paging import AfterName, Limit, cut
from sheepfold.protocols.rest.paths import CommandedInPath, IdInPath, JobInPath, MachineOrSelfInPath, machine_named
from sheepfold.protocols.rest.sight import SEEN

router = APIRouter(tags=["machines"], route_class=MakingRoute)

BrowserInPath = Annotated[IdInPath, Path(ge=0, le=wire.MOST_ID, description="The browser's id.")]


@router.get("/browsers", summary="List all machines that have browsers")
def list_browsers(farm: FarmHere, _: CallerHere, limit: Limit = 50, after: AfterName = "") -> FactoryList:
    """List the machines that make screenshots by Browsershots' wire, with their browsers and screens, page by page."""
    return factory_list(farm, limit, after)


@router.get("/browsers/alive", summary="List the browsers that are here")
def list_alive(farm: FarmHere, _: CallerHere) -> AliveList:
    """List the browsers that machines have which are here now, by platform: what an order can ask for at once."""
    return alive_list(farm)


@router.get("/machines/{machine}/browsers", summary="List a machine's browsers")
def get_browsers(farm: FarmHere, holder: CallerHere, machine: MachineOrSelfInPath) -> FactoryOut:
    """List the browsers and screens of a machine."""
    return FactoryOut.of(browsers.view_factory(farm, machine_named(holder, machine)))


@router.post("/machines/{machine}/browsers", status_code=201, summary="Register a browser")
def add_browser(farm: FarmHere, holder: KeyHolderHere, machine: CommandedInPath, asked: BrowserAsked) -> BrowserOut:
    """Register a browser of the key's own machine, or with the scope `order` of one of the account's; of any as the
    owner, with `manage`. The same one again is changed.
    """
    program, screen = asked.program(), asked.a_screen()
    return BrowserOut.of(browsers.add_browser(farm, holder.account, machine, program, asked.platform, screen))


@router.delete("/machines/{machine}/browsers/{browser_id}", summary="Remove a browser")
def remove_browser(
    farm: FarmHere, holder: KeyHolderHere, machine: CommandedInPath, browser_id: BrowserInPath
) -> BrowserOut:
    """Remove a browser of a machine for which the key may register one, and return what it was."""
    return BrowserOut.of(browsers.remove_browser(farm, holder.account, machine, BrowserId(browser_id)))


@router.post("/jobs/{job_id}/expiry", tags=["jobs"], summary="Prolong an order of screenshots", dependencies=SEEN)
def post_expiry(farm: FarmHere, account: CancelerHere, job_id: JobInPath) -> Expiry:
    """Make one of the account's orders, or any as the owner, worth making for another half hour from now."""
    return Expiry(expires_at=prolong(farm, account, JobId(job_id)))


def factory_list(farm: Farm, limit: int, after: str) -> FactoryList:
    """Write machines that have browsers, as the command line too shows them."""
    page, following = cut(browsers.page_of_factories(farm, limit + 1, after), limit, lambda one: one.machine.name)
    return FactoryList(factories=[FactoryOut.of(one) for one in page], next=following)
