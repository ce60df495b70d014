"""SheepIt's numbers: the status of every answer, the types of error reports, and each farm error's number.

Source: the protocol note on SheepIt, sections 3 to 9. An unlisted number means "unknown error" to every client.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from sheepfold.model import errors


class Era(StrEnum):
    """Which family of clients speaks; told from how its session was opened (note, section 12)."""

    A0 = "a0"    # 2014-11 to 2015-03: config by GET, no host name
    A = "a"      # 2015-03 to 2017-11: config by GET
    A2 = "a2"    # 2017-11 to 2020-06: config by POST, nothing said of a screen
    B = "b"      # 2020-07 and later
    B22 = "b22"  # state of 2022, with a hardware id
    C = "c"      # the Rust client of 2024

    @property
    def is_wedged_by_refusal(self) -> bool:
        """Whether a frame refused for good (300, 301, 304) keeps this client from ever asking for a job again.

        Measured with the client of 2015-03; true in the source of all clients before 2020-04.
        """
        return self in {Era.A0, Era.A, Era.A2}


class RequestKind(StrEnum):
    """The request that an answer belongs to: the same trouble has another number in each."""

    CONFIG = "config"
    JOB = "jobrequest"
    VALIDATION = "jobvalidate"
    HEARTBEAT = "keepmealive"
    ERROR = "error"
    DOWNLOAD = "download"
    LOGOUT = "logout"


class ConfigStatus(IntEnum):
    """Answers to the creation of a session. Every Java client ends on anything but 0."""

    OK = 0
    NO_VERSION = 100
    CLIENT_TOO_OLD = 101
    BAD_CREDENTIALS = 102
    WEB_SESSION_EXPIRED = 103
    MISSING_PARAMETER = 104


class JobStatus(IntEnum):
    """Answers to a job request. 201, 203, 205 and 208 park a client until a person restarts it."""

    OK = 0
    NO_JOB = 200
    NO_RENDERING_RIGHT = 201
    SESSION_DEAD = 202
    SESSION_DISABLED = 203
    INTERNAL_ERROR = 204
    NO_RENDERER = 205
    MAINTENANCE = 206
    OVERLOADED = 207
    DENOISING_UNSUPPORTED = 208


class ValidationStatus(IntEnum):
    """Answers to a frame. 302, 303 and unknown numbers make a client send it again, two or three times in all."""

    OK = 0
    MISSING_PARAMETER = 300
    BROKEN_FRAME = 301
    NOT_AN_IMAGE = 302
    UPLOAD_FAILED = 303
    SESSION_DISABLED = 304
    TOO_LARGE = 306
    WRONG_DIMENSIONS = 308


class HeartbeatStatus(IntEnum):
    """Answers to a heartbeat; anything but 400 lets the client go on."""

    OK = 0
    STOP = 400


class ErrorType(IntEnum):
    """What an error report is about; 100 and above stay inside the client."""

    OK = 0
    WRONG_CONFIGURATION = 1
    AUTHENTICATION_FAILED = 2
    CLIENT_TOO_OLD = 3
    SESSION_DISABLED = 4
    RENDERER_NOT_AVAILABLE = 5
    MISSING_RENDERER = 6
    MISSING_SCENE = 7
    NO_OUTPUT_FILE = 8
    DOWNLOAD_FAILED = 9
    CANNOT_CREATE_DIRECTORY = 10
    NETWORK = 11
    RENDERER_CRASHED = 12
    OUT_OF_VIDEO_MEMORY = 13
    RENDERER_KILLED = 14
    MISSING_LIBRARIES = 15
    FAILED_TO_EXECUTE = 16
    OS_UNSUPPORTED = 17
    CPU_UNSUPPORTED = 18
    GPU_UNSUPPORTED = 19
    KILLED_BY_USER = 20
    OUT_OF_MEMORY = 21
    KILLED_BY_SERVER = 22
    OVER_USERS_TIME = 23
    PYTHON_ERROR = 24
    VALIDATION_FAILED = 25
    IMAGE_TOO_LARGE = 26
    ENGINE_NOT_AVAILABLE = 27
    NO_DISPLAY = 28
    DENOISING_UNSUPPORTED = 29
    UNKNOWN = 99
    NO_DISK_SPACE = 100
    BAD_UPLOAD_ANSWER = 101
    PATH_INVALID = 102
    NO_WRITE_PERMISSION = 103
    SERVER_DOWN = 104
    BAD_SERVER_ANSWER = 105


_E = ErrorType
NOT_THE_TASKS_FAULT: Collection[int | None] = frozenset({
    _E.WRONG_CONFIGURATION, _E.DOWNLOAD_FAILED, _E.CANNOT_CREATE_DIRECTORY, _E.NETWORK, _E.RENDERER_KILLED,
    _E.MISSING_LIBRARIES, _E.FAILED_TO_EXECUTE, _E.OS_UNSUPPORTED, _E.CPU_UNSUPPORTED, _E.GPU_UNSUPPORTED,
    _E.KILLED_BY_USER, _E.KILLED_BY_SERVER, _E.OVER_USERS_TIME, _E.NO_DISPLAY, _E.NO_DISK_SPACE, _E.NO_WRITE_PERMISSION,
    _E.SERVER_DOWN, _E.BAD_SERVER_ANSWER, _E.BAD_UPLOAD_ANSWER,
})
"""Reports after which a task is merely given back: a poor machine must not use up the attempts of a good project."""

_DAY_S = 86_400
_UNABLE = (
    _E.MISSING_RENDERER, _E.OUT_OF_VIDEO_MEMORY, _E.MISSING_LIBRARIES, _E.FAILED_TO_EXECUTE, _E.OS_UNSUPPORTED,
    _E.CPU_UNSUPPORTED, _E.GPU_UNSUPPORTED, _E.OUT_OF_MEMORY, _E.OVER_USERS_TIME, _E.ENGINE_NOT_AVAILABLE,
    _E.NO_DISPLAY, _E.DENOISING_UNSUPPORTED,
)
KEPT_OFF_S: Mapping[int | None, int] = {_E.KILLED_BY_USER: 30 * _DAY_S, **dict.fromkeys(_UNABLE, _DAY_S)}
"""Reports after which a machine is not offered the job again, and for how long, in seconds.

With 20 its owner has blocked the project; after the others the next frame would go the same way, and clients that do
not pause after them (20, 23) would ask for it at once, for ever.
"""


class MissingVersion(errors.MissingParameter):
    """The client does not say its version."""


class ClientTooOld(errors.NotAllowed):
    """The client is older than this farm allows."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """One error's number in the answer to a config, job, frame and heartbeat."""

    config: ConfigStatus
    job: JobStatus
    validation: ValidationStatus
    heartbeat: HeartbeatStatus = HeartbeatStatus.OK


_C, _J, _V, _STOP = ConfigStatus, JobStatus, ValidationStatus, HeartbeatStatus.STOP

# A class without a row has its nearest ancestor's. 103 is the one config number after which the Rust client tries
# again, hence the answer to all that may pass.
ERROR_STATUS: Mapping[type[errors.SheepfoldError], Numbers] = {
    errors.SheepfoldError: Numbers(_C.WEB_SESSION_EXPIRED, _J.INTERNAL_ERROR, _V.UPLOAD_FAILED),

    errors.BadInput: Numbers(_C.MISSING_PARAMETER, _J.INTERNAL_ERROR, _V.MISSING_PARAMETER),
    MissingVersion: Numbers(_C.NO_VERSION, _J.INTERNAL_ERROR, _V.MISSING_PARAMETER),
    # A multipart body that breaks off was cut on its way: worth another try.
    errors.MalformedMessage: Numbers(_C.MISSING_PARAMETER, _J.INTERNAL_ERROR, _V.UPLOAD_FAILED),
    errors.TooLarge: Numbers(_C.MISSING_PARAMETER, _J.INTERNAL_ERROR, _V.TOO_LARGE),

    errors.NotAllowed: Numbers(_C.BAD_CREDENTIALS, _J.NO_RENDERING_RIGHT, _V.SESSION_DISABLED),
    ClientTooOld: Numbers(_C.CLIENT_TOO_OLD, _J.SESSION_DEAD, _V.SESSION_DISABLED),
    # At a job request 202 makes the client log in again, where a wrong key gets its 102.
    errors.BadCredentials: Numbers(_C.BAD_CREDENTIALS, _J.SESSION_DEAD, _V.SESSION_DISABLED),
    errors.SessionEnded: Numbers(_C.WEB_SESSION_EXPIRED, _J.SESSION_DEAD, _V.SESSION_DISABLED),
    errors.MachineSuspended: Numbers(_C.BAD_CREDENTIALS, _J.SESSION_DISABLED, _V.SESSION_DISABLED),

    # A frame or heartbeat that comes late is no fault of the client's: frames get 0, or the oldest clients would wedge.
    errors.NotFound: Numbers(_C.WEB_SESSION_EXPIRED, _J.INTERNAL_ERROR, _V.OK),
    errors.UnknownAccount: Numbers(_C.BAD_CREDENTIALS, _J.SESSION_DEAD, _V.OK),
    errors.UnknownMachine: Numbers(_C.BAD_CREDENTIALS, _J.SESSION_DEAD, _V.OK),
    errors.UnknownJob: Numbers(_C.WEB_SESSION_EXPIRED, _J.INTERNAL_ERROR, _V.OK, _STOP),
    errors.UnknownTask: Numbers(_C.WEB_SESSION_EXPIRED, _J.INTERNAL_ERROR, _V.OK, _STOP),
    errors.UnknownLease: Numbers(_C.WEB_SESSION_EXPIRED, _J.INTERNAL_ERROR, _V.OK, _STOP),

    errors.Conflict: Numbers(_C.WEB_SESSION_EXPIRED, _J.NO_JOB, _V.OK),
    errors.LeaseNotHeld: Numbers(_C.WEB_SESSION_EXPIRED, _J.NO_JOB, _V.OK, _STOP),
    errors.JobEnded: Numbers(_C.WEB_SESSION_EXPIRED, _J.NO_JOB, _V.OK, _STOP),

    errors.BadResult: Numbers(_C.WEB_SESSION_EXPIRED, _J.INTERNAL_ERROR, _V.BROKEN_FRAME),
    errors.UndecodablePicture: Numbers(_C.WEB_SESSION_EXPIRED, _J.INTERNAL_ERROR, _V.NOT_AN_IMAGE),
    errors.WrongDimensions: Numbers(_C.WEB_SESSION_EXPIRED, _J.INTERNAL_ERROR, _V.WRONG_DIMENSIONS),
    errors.IncompleteUpload: Numbers(_C.WEB_SESSION_EXPIRED, _J.INTERNAL_ERROR, _V.UPLOAD_FAILED),

    errors.NoRenderer: Numbers(_C.WEB_SESSION_EXPIRED, _J.NO_RENDERER, _V.UPLOAD_FAILED),

    # Never 201, 203 or 205 for what passes: these end a client.
    errors.Unavailable: Numbers(_C.WEB_SESSION_EXPIRED, _J.OVERLOADED, _V.UPLOAD_FAILED),
    errors.Maintenance: Numbers(_C.WEB_SESSION_EXPIRED, _J.MAINTENANCE, _V.UPLOAD_FAILED),
}

_WEDGING = frozenset({_V.MISSING_PARAMETER, _V.BROKEN_FRAME, _V.SESSION_DISABLED})


def numbers_for(error_class: type[errors.SheepfoldError]) -> Numbers:
    """Return the row of an error class, or of its nearest ancestor that has one."""
    return next(ERROR_STATUS[ancestor] for ancestor in error_class.__mro__ if ancestor in ERROR_STATUS)


def status_for(error: errors.SheepfoldError, request_kind: RequestKind, era: Era = Era.B) -> int:
    """Return the number that says `error` in the answer to `request_kind`; for a download an HTTP status.

    `era` spares old clients the numbers that would wedge them: their refused frame is answered with 0.
    """
    numbers = numbers_for(type(error))
    match request_kind:
        case RequestKind.CONFIG:
            return int(numbers.config)
        case RequestKind.JOB:
            return int(numbers.job)
        case RequestKind.VALIDATION:
            return int(_spared(numbers.validation, era))
        case RequestKind.HEARTBEAT:
            return int(numbers.heartbeat)
        case RequestKind.DOWNLOAD:
            return 404
        case RequestKind.ERROR | RequestKind.LOGOUT:
            return 0  # clients ignore these answers


def _spared(status: ValidationStatus, era: Era) -> ValidationStatus:
    return ValidationStatus.OK if era.is_wedged_by_refusal and status in _WEDGING else status
