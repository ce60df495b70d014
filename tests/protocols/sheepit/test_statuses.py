"""SheepIt's numbers for the farm's errors: none is without, and none parks or wedges a client that did no wrong."""

from collections.abc import Iterator

import pytest

from sheepfold.model import errors
from sheepfold.protocols.sheepit.statuses import (
    ConfigStatus,
    Era,
    HeartbeatStatus,
    JobStatus,
    MissingVersion,
    RequestKind,
    ValidationStatus,
    status_for,
)

PARKING = {JobStatus.NO_RENDERING_RIGHT, JobStatus.SESSION_DISABLED, JobStatus.NO_RENDERER,
           JobStatus.DENOISING_UNSUPPORTED}


def all_errors(above: type[errors.SheepfoldError] = errors.SheepfoldError) -> Iterator[type[errors.SheepfoldError]]:
    yield above
    for below in above.__subclasses__():
        yield from all_errors(below)


@pytest.mark.parametrize("error", sorted(set(all_errors()), key=str), ids=lambda error: error.__name__)
def test_every_error_has_a_number_in_every_answer(error):
    assert status_for(error(), RequestKind.CONFIG) in set(ConfigStatus) - {0}
    assert status_for(error(), RequestKind.JOB) in set(JobStatus) - {0}
    assert status_for(error(), RequestKind.VALIDATION) in set(ValidationStatus)
    assert status_for(error(), RequestKind.HEARTBEAT) in set(HeartbeatStatus)
    assert status_for(error(), RequestKind.ERROR) == status_for(error(), RequestKind.LOGOUT) == 0
    assert status_for(error(), RequestKind.DOWNLOAD) == 404


def test_an_error_that_is_not_listed_has_its_parents_number():
    class Strange(errors.Maintenance):
        """Strange."""

    assert status_for(Strange(), RequestKind.JOB) == JobStatus.MAINTENANCE


@pytest.mark.parametrize("error", sorted(set(all_errors()), key=str), ids=lambda error: error.__name__)
def test_only_what_lasts_parks_a_client(error):
    parks = status_for(error(), RequestKind.JOB) in PARKING
    lasting = (errors.NoRenderer, errors.MachineSuspended, errors.NotAllowed)
    assert not parks or issubclass(error, lasting)
    assert not (parks and issubclass(error, errors.Unavailable | errors.Conflict | errors.NotFound))


@pytest.mark.parametrize("era", [Era.A0, Era.A, Era.A2])
@pytest.mark.parametrize("error", sorted(set(all_errors()), key=str), ids=lambda error: error.__name__)
def test_no_refusal_wedges_an_old_client(error, era):
    assert status_for(error(), RequestKind.VALIDATION, era) not in {300, 301, 304}


@pytest.mark.parametrize(("error", "kind", "number"), [
    (MissingVersion, RequestKind.CONFIG, 100), (errors.MissingParameter, RequestKind.CONFIG, 104),
    (errors.BadCredentials, RequestKind.CONFIG, 102), (errors.SessionEnded, RequestKind.JOB, 202),
    (errors.MachineSuspended, RequestKind.JOB, 203), (errors.Forbidden, RequestKind.JOB, 201),
    (errors.NoRenderer, RequestKind.JOB, 205), (errors.Maintenance, RequestKind.JOB, 206),
    (errors.Overloaded, RequestKind.JOB, 207), (errors.StoreUnavailable, RequestKind.JOB, 207),
    (errors.MissingParameter, RequestKind.VALIDATION, 300), (errors.BrokenPicture, RequestKind.VALIDATION, 301),
    (errors.UndecodablePicture, RequestKind.VALIDATION, 302), (errors.IncompleteUpload, RequestKind.VALIDATION, 303),
    (errors.StoreUnavailable, RequestKind.VALIDATION, 303), (errors.SessionEnded, RequestKind.VALIDATION, 304),
    (errors.TooLarge, RequestKind.VALIDATION, 306), (errors.WrongDimensions, RequestKind.VALIDATION, 308),
    (errors.UnknownJob, RequestKind.VALIDATION, 0), (errors.JobEnded, RequestKind.VALIDATION, 0),
    (errors.JobEnded, RequestKind.HEARTBEAT, 400), (errors.LeaseNotHeld, RequestKind.HEARTBEAT, 400),
    (errors.SessionEnded, RequestKind.HEARTBEAT, 0), (errors.Overloaded, RequestKind.HEARTBEAT, 0)])
def test_the_number_is_the_one_that_clients_understand(error, kind, number):
    assert status_for(error(), kind) == number


def test_a_new_client_is_told_of_a_broken_frame_and_an_old_one_is_not():
    assert status_for(errors.BrokenPicture(), RequestKind.VALIDATION, Era.B22) == 301
    assert status_for(errors.BrokenPicture(), RequestKind.VALIDATION, Era.A) == 0
    assert status_for(errors.UndecodablePicture(), RequestKind.VALIDATION, Era.A) == 302
