"""The whole SheepIt wire in one place: a pure codec, both ways, for farm, worker, tests and benchmarks.

`requests` holds what clients ask, `answers` what a farm says, `statuses` the numbers and the table of errors.
"""

from sheepfold.protocols.sheepit.answers import (
    CONFIG_PATH,
    CONTENT_TYPE,
    FILE_NAMES,
    LITERAL_PATHS,
    SMALLEST_JOB_ID,
    Chunk,
    ConfigAnswer,
    Endpoint,
    ErrorAnswer,
    Job,
    JobAnswer,
    KeepAliveAnswer,
    Renderer,
    Stats,
    ValidationAnswer,
    collapse_slashes,
    frame_text,
    heartbeat_period_s,
    session_paths,
)
from sheepfold.protocols.sheepit.requests import (
    FILE_PART,
    MAX_PAIRS_BYTES,
    ArchiveRequest,
    ArchiveType,
    ComputeMethod,
    ConfigRequest,
    DownloadBinary,
    DownloadChunk,
    ErrorReport,
    FrameUpload,
    Headless,
    Heartbeat,
    JobRequest,
    Logout,
    OpenedBy,
    Pairs,
    frame_filename,
    read_cached,
    read_pairs,
    write_pairs,
)
from sheepfold.protocols.sheepit.statuses import (
    ERROR_STATUS,
    ClientTooOld,
    ConfigStatus,
    Era,
    ErrorType,
    HeartbeatStatus,
    JobStatus,
    MissingVersion,
    Numbers,
    RequestKind,
    ValidationStatus,
    numbers_for,
    status_for,
)

__all__ = [
    "CONFIG_PATH", "CONTENT_TYPE", "ERROR_STATUS", "FILE_NAMES", "FILE_PART", "LITERAL_PATHS",
    "MAX_PAIRS_BYTES", "SMALLEST_JOB_ID", "ArchiveRequest", "ArchiveType", "Chunk", "ClientTooOld",
    "ComputeMethod", "ConfigAnswer", "ConfigRequest", "ConfigStatus", "DownloadBinary", "DownloadChunk",
    "Endpoint", "Era", "ErrorAnswer", "ErrorReport", "ErrorType", "FrameUpload", "Headless", "Heartbeat",
    "HeartbeatStatus", "Job", "JobAnswer", "JobRequest", "JobStatus", "KeepAliveAnswer", "Logout",
    "MissingVersion", "Numbers", "OpenedBy", "Pairs", "Renderer", "RequestKind", "Stats", "ValidationAnswer",
    "ValidationStatus", "collapse_slashes", "frame_filename", "frame_text", "heartbeat_period_s", "numbers_for",
    "read_cached", "read_pairs", "session_paths", "status_for", "write_pairs",
]
