"""The part of the REST wire that says no: problem documents (RFC 9457), and the number of each refusal in HTTP."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from sheepfold.model import errors
from sheepfold.model.errors import SheepfoldError
from sheepfold.model.tasks import Soundness
from sheepfold.protocols.rest.wire import ResultReceipt, Told

PROBLEMS = "/api/docs#"
"""How the `type` of every problem of a farm begins."""
PROBLEM_MEDIA_TYPE = "application/problem+json"


class Fault(Told):
    """One field that made no sense: where it stands, and what is wrong with it."""

    where: str
    what: str


class Problem(Told):
    """A refusal (RFC 9457). `job`, `task` and `lease` are those that the request named; `receipt` is a bad result's."""

    type: str = "about:blank"
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str = ""
    job: str | None = None
    task: str | None = None
    lease: str | None = None
    faults: list[Fault] = Field(default_factory=list)
    receipt: ResultReceipt | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """How HTTP says a farm's error: a status and a title."""

    status: int
    title: str


REFUSALS: dict[type[SheepfoldError], Refusal] = {
    SheepfoldError: Refusal(400, "Refused"),
    errors.BadInput: Refusal(400, "The request makes no sense"),
    errors.InvalidSpec: Refusal(422, "The order cannot be understood"),
    errors.InvalidName: Refusal(422, "The name cannot be used"),
    errors.TooLarge: Refusal(413, "Too large"),
    errors.NotAllowed: Refusal(403, "Not allowed"),
    errors.BadCredentials: Refusal(401, "Wrong or missing key"),
    errors.TooManyTries: Refusal(429, "Too many tries"),
    errors.SessionEnded: Refusal(401, "Session unknown or ended"),
    errors.MachineSuspended: Refusal(403, "Machine suspended"),
    errors.NotFound: Refusal(404, "Not found"),
    errors.Cleared: Refusal(410, "Cleared"),
    errors.Conflict: Refusal(409, "Too late or out of turn"),
    errors.LeaseNotHeld: Refusal(409, "Lease not held"),
    errors.JobEnded: Refusal(409, "Job ended"),
    errors.BadResult: Refusal(422, "Result refused"),
    errors.IncompleteUpload: Refusal(400, "Upload incomplete"),
    errors.NoRenderer: Refusal(404, "No renderer"),
    errors.Unavailable: Refusal(503, "Not now"),
    errors.Overloaded: Refusal(503, "Overloaded"),
    errors.Maintenance: Refusal(503, "Under maintenance"),
}
"""What each branch of the tree of errors is in HTTP; an error that is not here is what its nearest ancestor is."""

_BAD_RESULTS: dict[Soundness, type[SheepfoldError]] = {
    Soundness.UNDECODABLE: errors.UndecodablePicture,
    Soundness.WRONG_SIZE: errors.WrongDimensions,
    Soundness.BLANK: errors.BrokenPicture,
    Soundness.SOUND: errors.BadResult,
}


def refusal_of(error: type[SheepfoldError]) -> Refusal:
    """Return what an error is in HTTP."""
    return next(REFUSALS[one] for one in error.__mro__ if one in REFUSALS)


def problem_type(error: type[SheepfoldError]) -> str:
    """Return the address that names an error, an anchor of the API's own page; clients may rely on it."""
    return PROBLEMS + re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__).lower()


def problem_of(error: SheepfoldError) -> Problem:
    """Write a farm's error for the wire."""
    refusal = refusal_of(type(error))
    return Problem(type=problem_type(type(error)), title=refusal.title, status=refusal.status, detail=str(error))


def bad_result(receipt: ResultReceipt) -> SheepfoldError:
    """Return the error that an invalid result is."""
    return _BAD_RESULTS[receipt.soundness](receipt.reason)
