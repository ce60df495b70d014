"""The whole Browsershots wire in one place: a pure codec, both ways, for farm, worker, tests and benchmarks.

`xmlrpc` holds the streaming reader and the writers, `calls` and `answers` typed requests and values, `methods` the
table of the API, `faults` the faults and the table of errors, `credentials` the arithmetic of passwords, `names` those
of factories, browsers and redirects.
"""

from sheepfold.protocols.browsershots.answers import (
    ChallengeAnswer,
    PollAnswer,
    StatusRow,
    multicall_answer,
    read_multicall,
    read_texts,
)
from sheepfold.protocols.browsershots.calls import (
    ActiveBrowsers,
    Challenge,
    ChallengeUser,
    Features,
    ListMethods,
    MethodHelp,
    MethodSignature,
    Multicall,
    Poll,
    Request,
    Status,
    Submit,
    Upload,
    Verify,
    VerifyUser,
    encode_call,
    size_of_upload,
    write_upload,
)
from sheepfold.protocols.browsershots.credentials import Algorithm, encrypt, inner_digest, is_encrypted_with
from sheepfold.protocols.browsershots.faults import ERROR_FAULTS, PICTURE_PROBLEMS, FaultText, KnownFault, fault_for
from sheepfold.protocols.browsershots.methods import (
    METHOD_NOT_FOUND,
    METHODS,
    Method,
    Parameter,
    decode_call,
    list_methods,
    method_help,
    method_signature,
)
from sheepfold.protocols.browsershots.names import (
    RESERVED_FACTORIES,
    BrowserId,
    Redirect,
    factory_name,
    read_browsers,
)
from sheepfold.protocols.browsershots.xmlrpc import (
    CONTENT_TYPE,
    Base64,
    Fault,
    Limits,
    MessageReader,
    MethodCall,
    Value,
    read_call,
    read_response,
    write_call,
    write_fault,
    write_response,
)

__all__ = [
    "CONTENT_TYPE", "ERROR_FAULTS", "METHODS", "METHOD_NOT_FOUND", "PICTURE_PROBLEMS", "RESERVED_FACTORIES",
    "ActiveBrowsers", "Algorithm", "Base64", "BrowserId", "Challenge", "ChallengeAnswer", "ChallengeUser", "Fault",
    "FaultText", "Features", "KnownFault", "Limits", "ListMethods", "MessageReader", "Method", "MethodCall",
    "MethodHelp", "MethodSignature", "Multicall", "Parameter", "Poll", "PollAnswer", "Redirect", "Request", "Status",
    "StatusRow", "Submit", "Upload", "Value", "Verify", "VerifyUser", "decode_call", "encode_call", "encrypt",
    "factory_name", "fault_for", "inner_digest", "is_encrypted_with", "list_methods", "method_help", "method_signature",
    "multicall_answer", "read_browsers", "read_call", "read_multicall", "read_response", "read_texts",
    "size_of_upload", "write_call", "write_fault", "write_response", "write_upload",
]
