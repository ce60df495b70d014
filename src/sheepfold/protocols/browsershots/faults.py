"""Browsershots' faults: the exact codes and messages of the old server, and the fault of each of the farm's errors.

Source: the protocol note, sections 1.4 and 3.3. Clients print a fault and wait a minute; none decides by its code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sheepfold.model import errors
from sheepfold.protocols.browsershots.xmlrpc import Fault


@dataclass(frozen=True, slots=True)
class FaultText:
    """A code and a message with places to fill in."""

    code: int
    message: str


class KnownFault(Enum):
    """The faults of the old server, word for word, for those who know what goes into the places."""

    NO_REQUEST = FaultText(204, "No matching request.")
    BROWSERS_BLOCKED = FaultText(204, "All active browsers on {factory} are temporarily blocked because of errors.")
    FACTORY_BLOCKED = FaultText(205, "Sorry, your screenshot factory is blocked for a few minutes. "
                                     "Please check your email for error messages from Browsershots.")
    XML_ERROR = FaultText(400, "XML parser error: {detail}")
    PASSWORD_MISMATCH = FaultText(401, "Password mismatch.")
    HASH_COLLISION = FaultText(401, "Authentication failed (hash collision).")
    OTHER_ADDRESS = FaultText(401, "Authentication failed (different IP address).")
    PRIORITY_REQUIRED = FaultText(402, "Priority processing is required.")
    FACTORY_NOT_FOUND = FaultText(404, "Factory not found with name={factory}.")
    REQUEST_NOT_FOUND = FaultText(404, "Request not found with pk={request}.")
    USER_NOT_FOUND = FaultText(404, "User not found.")
    GROUP_NOT_FOUND = FaultText(404, "Request group not found.")
    NO_ACTIVE_BROWSERS = FaultText(404, "No active browsers registered for factory {factory}.")
    NO_MATCHING_BROWSER = FaultText(404, "No matching browser for selected request.")
    METHOD_NOT_SUPPORTED = FaultText(404, 'method "{method}" is not supported')
    UNKNOWN_USER_AGENT = FaultText(404, "Unknown user agent: {user_agent}.")
    NOT_VISITED = FaultText(406, "The browser has not visited the requested website.")
    NONCE_EXPIRED = FaultText(408, "Authentication failed (nonce expired).")
    NOT_LOCKED = FaultText(409, "Request {request} was not locked.")
    OTHER_BROWSER = FaultText(409, "Requested browser {wanted} but got {found}.")
    OTHER_VERSION = FaultText(409, "Requested browser version {wanted} but got {found}.")
    WRONG_WIDTH = FaultText(412, "The screenshot is {width} pixels wide, not {wanted} as requested.")
    TOO_TALL = FaultText(413, "The screenshot is too tall (more than 4 times the width).")
    TOO_SHORT = FaultText(414, "The screenshot is too short (less than half the width).")
    UNDECODABLE = FaultText(415, "Could not decode uploaded PNG file (hashkey {hashkey}).")
    LOCKED_BY_OTHER = FaultText(423, "Request {request} was locked by factory {factory}.")
    INTERNAL_ERROR = FaultText(500, "{type}:{detail}")
    OVERLOADED = FaultText(503, "The server is currently overloaded. Please try again in a minute.")

    def fault(self, **words: object) -> Fault:
        """Return the fault with its places filled; raise KeyError for one left out."""
        return Fault(self.value.code, self.value.message.format(**words))


# What may be wrong in the picture itself; the old server's words came with its reference pictures, these are ours.
PICTURE_PROBLEMS: Mapping[int, str] = {
    601: "A browser has crashed.", 602: "An error report is offered.", 603: "The system is low on memory.",
    604: "The disk is full.", 605: "Many copies of Opera run.", 606: "The disk is full.",
    621: "A virus scanner is in front.", 622: "A virus scanner is in front.", 623: "A virus scanner is in front.",
    624: "A virus scanner is in front.", 631: "A language pack is offered.", 632: "A new add-on is announced.",
    633: "The system asks whether to run a program.", 641: "A dynamic library is missing.",
    642: "The configuration cannot be loaded.", 643: "A protocol is unknown.", 644: "A portal's tab is in front.",
    651: "An encrypted page is announced.", 652: "An encrypted page is announced.", 661: "A new Opera is announced.",
    671: "The page is still loading.", 672: "The browser is still on the redirect.", 673: "The connection failed.",
    674: "The server was not found.", 681: "A question with a check box is in front.",
    682: "The browser asks to be the default.", 683: "The browser checks itself at its start.",
    684: "The browser was not shut down properly.", 685: "The browser asks about closing tabs.",
    686: "The browser was terminated.", 692: "The desktop is visible.", 693: "A console window is visible.",
    694: "The system's watermark is visible.", 695: "A terminal is visible.", 701: "The picture is blank.",
    702: "The left edge is blank.", 703: "The right edge is blank.", 704: "The lower edge is blank.",
}

# A class without a row has its nearest ancestor's; {message} is the error's own.
ERROR_FAULTS: Mapping[type[errors.SheepfoldError], FaultText] = {
    errors.SheepfoldError: FaultText(500, "{message}"),

    errors.BadInput: FaultText(400, "{message}"),
    errors.MalformedMessage: FaultText(400, "XML parser error: {message}"),

    errors.NotAllowed: FaultText(403, "{message}"),
    errors.BadCredentials: KnownFault.PASSWORD_MISMATCH.value,
    errors.SessionEnded: KnownFault.NONCE_EXPIRED.value,
    errors.MachineSuspended: KnownFault.FACTORY_BLOCKED.value,

    errors.NotFound: FaultText(404, "{message}"),
    errors.UnknownAccount: KnownFault.USER_NOT_FOUND.value,
    errors.UnknownJob: KnownFault.GROUP_NOT_FOUND.value,
    errors.UnknownLease: FaultText(409, "{message}"),

    errors.Conflict: FaultText(409, "{message}"),
    errors.LeaseNotHeld: FaultText(423, "{message}"),

    errors.BadResult: FaultText(415, "{message}"),
    errors.WrongDimensions: FaultText(412, "{message}"),
    errors.BrokenPicture: FaultText(701, "{message}"),

    errors.NoRenderer: KnownFault.NO_MATCHING_BROWSER.value,

    # Not an answer outside XML-RPC: old clients end on one that comes with status 200.
    errors.Unavailable: FaultText(503, "{message}"),
    errors.Overloaded: KnownFault.OVERLOADED.value,
}


def fault_for(error: errors.SheepfoldError) -> Fault:
    """Return the fault that says `error`; where names and numbers are at hand, KnownFault says it in the old words."""
    row = next(ERROR_FAULTS[ancestor] for ancestor in type(error).__mro__ if ancestor in ERROR_FAULTS)
    return Fault(row.code, row.message.replace("{message}", str(error)))
