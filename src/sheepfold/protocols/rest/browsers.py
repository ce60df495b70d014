"""What owners of machines tell of their browsers, and customers of how long their screenshots are worth making."""

from typing import Annotated

from fastapi import APIRouter, Path

from sheepfold.farm import browsers
from sheepfold.farm.expiry import prolong
from sheepfold.model.browsers import BrowserId
from sheepfold.model.jobs import JobId
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.browser_wire import BrowserAsked, BrowserOut, Expiry, FactoryList, FactoryOut
from sheepfold.protocols.rest.callers import CallerHere, CancelerHere, FarmHere, KeyHolderHere
from sheepfold.protocols.rest.making import MakingRoute
from sheepfold.protocols.rest.sight import SEEN
from sheepfold.store.accounts import KeyHolder

SELF = "self"

router = APIRouter(tags=["machines"], route_class=MakingRoute)

MachineInPath = Annotated[str, Path(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,47}$",
                                    description="The machine's name, or `self` for the key's own.")]
BrowserInPath = Annotated[int, Path(ge=0, le=wire.MOST_ID, description="The browser's id.")]


@router.get("/browsers", summary="List all machines that have browsers")
def list_browsers(farm: FarmHere, _: CallerHere) -> FactoryList:
    """List the machines that make screenshots by Browsershots' wire, with their browsers and screens."""
    return FactoryList(factories=[FactoryOut.of(one) for one in browsers.list_factories(farm)])


@router.get("/machines/{machine}/browsers", summary="List a machine's browsers")
def get_browsers(farm: FarmHere, holder: CallerHere, machine: MachineInPath) -> FactoryOut:
    """List the browsers and screens of a machine."""
    return FactoryOut.of(browsers.view_factory(farm, _name(holder, machine)))


@router.post("/machines/{machine}/browsers", status_code=201, summary="Register a browser")
def add_browser(farm: FarmHere, holder: KeyHolderHere, machine: MachineInPath, asked: BrowserAsked) -> BrowserOut:
    """Register a browser of one of the account's machines, or of any as the owner; the same one again is changed."""
    program, screen = asked.program(), asked.a_screen()
    made = browsers.add_browser(farm, holder.account, _name(holder, machine), program, asked.platform, screen)
    return BrowserOut.of(made)


@router.delete("/machines/{machine}/browsers/{browser_id}", summary="Remove a browser")
def remove_browser(
    farm: FarmHere, holder: KeyHolderHere, machine: MachineInPath, browser_id: BrowserInPath
) -> BrowserOut:
    """Remove a browser, and return what it was."""
    name = _name(holder, machine)
    return BrowserOut.of(browsers.remove_browser(farm, holder.account, name, BrowserId(browser_id)))


@router.post("/jobs/{job_id}/expiry", tags=["jobs"], summary="Prolong an order of screenshots", dependencies=SEEN)
def post_expiry(
    farm: FarmHere, account: CancelerHere,
    job_id: Annotated[int, Path(ge=0, le=wire.MOST_ID, description="The job's id.")],
) -> Expiry:
    """Make one of the account's orders, or any as the owner, worth making for another half hour from now."""
    return Expiry(expires_at=prolong(farm, account, JobId(job_id)))


def _name(holder: KeyHolder, machine: str) -> str:
    return holder.machine.name if machine == SELF else machine
