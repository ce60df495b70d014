"""Faults: every error of the farm has one, and the old server's come in its own words."""

from collections.abc import Iterator

import pytest

from sheepfold.model import errors
from sheepfold.protocols.browsershots.faults import PICTURE_PROBLEMS, KnownFault, fault_for


def all_errors(above: type[errors.SheepfoldError] = errors.SheepfoldError) -> Iterator[type[errors.SheepfoldError]]:
    yield above
    for below in above.__subclasses__():
        yield from all_errors(below)


@pytest.mark.parametrize("error", sorted(set(all_errors()), key=str), ids=lambda error: error.__name__)
def test_every_error_has_a_fault(error):
    fault = fault_for(error("{name} {0} 50%"))
    assert 200 <= fault.code < 1000
    assert fault.message
    assert "{message}" not in fault.message


def test_an_error_that_is_not_listed_has_its_parents_fault():
    class Strange(errors.Overloaded):
        """Strange."""

    assert fault_for(Strange()).code == 503


@pytest.mark.parametrize(("error", "code", "message"), [
    (errors.MalformedMessage("line 1"), 400, "XML parser error: line 1"),
    (errors.BadCredentials(), 401, "Password mismatch."),
    (errors.SessionEnded(), 408, "Authentication failed (nonce expired)."),
    (errors.UnknownAccount(), 404, "User not found."), (errors.UnknownJob(), 404, "Request group not found."),
    (errors.NotFound('method "x" is not supported'), 404, 'method "x" is not supported'),
    (errors.WrongDimensions("too wide"), 412, "too wide"), (errors.UndecodablePicture("no PNG"), 415, "no PNG"),
    (errors.LeaseNotHeld("locked"), 423, "locked"),
    (errors.Overloaded(), 503, "The server is currently overloaded. Please try again in a minute."),
    (errors.Maintenance("later"), 503, "later"), (errors.StoreUnavailable("later"), 503, "later"),
    (errors.SheepfoldError("odd"), 500, "odd")])
def test_an_error_has_the_code_that_the_old_server_used(error, code, message):
    fault = fault_for(error)
    assert (fault.code, fault.message) == (code, message)


@pytest.mark.parametrize(("known", "words", "code", "message"), [
    (KnownFault.NO_REQUEST, {}, 204, "No matching request."),
    (KnownFault.BROWSERS_BLOCKED, {"factory": "argo"}, 204,
     "All active browsers on argo are temporarily blocked because of errors."),
    (KnownFault.FACTORY_BLOCKED, {}, 205, "Sorry, your screenshot factory is blocked for a few minutes. "
                                          "Please check your email for error messages from Browsershots."),
    (KnownFault.XML_ERROR, {"detail": "x"}, 400, "XML parser error: x"),
    (KnownFault.PASSWORD_MISMATCH, {}, 401, "Password mismatch."),
    (KnownFault.HASH_COLLISION, {}, 401, "Authentication failed (hash collision)."),
    (KnownFault.OTHER_ADDRESS, {}, 401, "Authentication failed (different IP address)."),
    (KnownFault.PRIORITY_REQUIRED, {}, 402, "Priority processing is required."),
    (KnownFault.FACTORY_NOT_FOUND, {"factory": "x"}, 404, "Factory not found with name=x."),
    (KnownFault.REQUEST_NOT_FOUND, {"request": 7}, 404, "Request not found with pk=7."),
    (KnownFault.USER_NOT_FOUND, {}, 404, "User not found."),
    (KnownFault.GROUP_NOT_FOUND, {}, 404, "Request group not found."),
    (KnownFault.NO_ACTIVE_BROWSERS, {"factory": "x"}, 404, "No active browsers registered for factory x."),
    (KnownFault.NO_MATCHING_BROWSER, {}, 404, "No matching browser for selected request."),
    (KnownFault.METHOD_NOT_SUPPORTED, {"method": "x"}, 404, 'method "x" is not supported'),
    (KnownFault.UNKNOWN_USER_AGENT, {"user_agent": "{x}"}, 404, "Unknown user agent: {x}."),
    (KnownFault.NOT_VISITED, {}, 406, "The browser has not visited the requested website."),
    (KnownFault.NONCE_EXPIRED, {}, 408, "Authentication failed (nonce expired)."),
    (KnownFault.NOT_LOCKED, {"request": 7}, 409, "Request 7 was not locked."),
    (KnownFault.OTHER_BROWSER, {"wanted": "A", "found": "B"}, 409, "Requested browser A but got B."),
    (KnownFault.OTHER_VERSION, {"wanted": "1.0", "found": "2.0"}, 409, "Requested browser version 1.0 but got 2.0."),
    (KnownFault.WRONG_WIDTH, {"width": 5, "wanted": 6}, 412, "The screenshot is 5 pixels wide, not 6 as requested."),
    (KnownFault.TOO_TALL, {}, 413, "The screenshot is too tall (more than 4 times the width)."),
    (KnownFault.TOO_SHORT, {}, 414, "The screenshot is too short (less than half the width)."),
    (KnownFault.UNDECODABLE, {"hashkey": "h"}, 415, "Could not decode uploaded PNG file (hashkey h)."),
    (KnownFault.LOCKED_BY_OTHER, {"request": 7, "factory": "x"}, 423, "Request 7 was locked by factory x."),
    (KnownFault.INTERNAL_ERROR, {"type": "T", "detail": "d"}, 500, "T:d"),
    (KnownFault.OVERLOADED, {}, 503, "The server is currently overloaded. Please try again in a minute.")])
def test_a_known_fault_is_word_for_word_the_old_one(known, words, code, message):
    fault = known.fault(**words)
    assert (fault.code, fault.message) == (code, message)


def test_pictures_have_their_own_codes():
    assert set(PICTURE_PROBLEMS) >= {601, 606, 621, 624, 671, 674, 695, 701, 702, 703, 704}
    assert all(601 <= code <= 695 or 701 <= code <= 704 for code in PICTURE_PROBLEMS)
