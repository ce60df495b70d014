"""Everything that can be refused, as one tree of errors.

```
SheepfoldError
├── BadInput              the caller's words make no sense
│   ├── MissingParameter
│   ├── MalformedMessage
│   ├── InvalidSpec
│   ├── InvalidName
│   └── TooLarge
├── NotAllowed            the caller is not who it must be
│   ├── BadCredentials
│   ├── TooManyTries
│   ├── SessionEnded
│   ├── MachineSuspended
│   └── Forbidden
├── NotFound
│   ├── UnknownAccount, UnknownMachine, UnknownJob, UnknownTask, UnknownLease, UnknownSheep, UnknownBlob
│   └── Cleared           there was one, and the farm has let it go
├── Conflict              true, but too late or twice
│   ├── NameTaken
│   ├── LeaseNotHeld
│   └── JobEnded
├── BadResult             a picture that cannot be what was asked for
│   ├── UndecodablePicture
│   ├── WrongDimensions
│   ├── BrokenPicture
│   └── IncompleteUpload
├── NoRenderer            nothing here can render for that machine
└── Unavailable           not now: try again
    ├── Overloaded
    ├── Maintenance
    └── StoreUnavailable
        └── PerhapsDone   the database had been told to keep it
```

An error's docstring is its default message; what was expected and what was found go into the text given to it.
"""


class SheepfoldError(Exception):
    """The farm refused."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class BadInput(SheepfoldError):
    """The request makes no sense."""


class MissingParameter(BadInput):
    """A parameter is missing."""


class MalformedMessage(BadInput):
    """The message cannot be read."""


class InvalidSpec(BadInput):
    """The order cannot be understood."""


class InvalidName(BadInput):
    """A name must begin with a letter and hold only small letters, digits, '-' and '_'."""


class TooLarge(BadInput):
    """The body is larger than allowed."""


class NotAllowed(SheepfoldError):
    """The caller may not do this."""


class BadCredentials(NotAllowed):
    """The name or the key is wrong."""


class TooManyTries(NotAllowed):
    """There were too many wrong passwords: try again in ten minutes."""


class SessionEnded(NotAllowed):
    """The session is unknown or has ended."""


class MachineSuspended(NotAllowed):
    """The machine is suspended after too many invalid results in a row."""


class Forbidden(NotAllowed):
    """The account's role does not allow this."""


class NotFound(SheepfoldError):
    """There is no such thing."""


class UnknownAccount(NotFound):
    """There is no such account."""


class UnknownMachine(NotFound):
    """There is no such machine."""


class UnknownJob(NotFound):
    """There is no such job."""


class UnknownTask(NotFound):
    """There is no such task."""


class UnknownLease(NotFound):
    """There is no such lease."""


class UnknownSheep(NotFound):
    """There is no such sheep."""


class UnknownBlob(NotFound):
    """There is no such file."""


class Cleared(NotFound):
    """The farm has cleared this: it kept it as long as its owner wants such things kept."""


class Conflict(SheepfoldError):
    """The request is true, but too late or out of turn."""


class NameTaken(Conflict):
    """The name is taken."""


class LeaseNotHeld(Conflict):
    """The machine holds no lease on this task."""


class JobEnded(Conflict):
    """The job has ended."""


class BadResult(SheepfoldError):
    """The result is not the picture that was asked for."""


class UndecodablePicture(BadResult):
    """The file is not a picture that can be read."""


class WrongDimensions(BadResult):
    """The picture has another size than was ordered."""


class BrokenPicture(BadResult):
    """The picture is blank or damaged."""


class IncompleteUpload(BadResult):
    """Fewer or more bytes arrived than were announced."""


class NoRenderer(SheepfoldError):
    """The farm has no renderer for this machine's system."""


class Unavailable(SheepfoldError):
    """The farm cannot do this now: try again in a minute."""


class Overloaded(Unavailable):
    """The farm is overloaded: try again in a minute."""


class Maintenance(Unavailable):
    """The farm is under maintenance: try again in a while."""


class StoreUnavailable(Unavailable):
    """The database does not answer: try again in a minute."""


class PerhapsDone(StoreUnavailable):
    """The database went away before it said whether this is done: see, or try again in a minute."""
