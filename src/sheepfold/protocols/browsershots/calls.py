"""The calls of Browsershots' API as typed requests, and what their parameters may be."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import ClassVar

from sheepfold.model.errors import BadInput
from sheepfold.protocols.browsershots import xmlrpc
from sheepfold.protocols.browsershots.xmlrpc import Base64, MethodCall, Value

MAX_CALLS = 100


@dataclass(frozen=True, slots=True)
class Request:
    """A typed call; its fields are the parameters in order."""

    method: ClassVar[str]

    def to_call(self) -> MethodCall:
        """Return the call as it stands on the wire."""
        return MethodCall(self.method, tuple(getattr(self, field.name) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class ListMethods(Request):
    """Which methods are there."""

    method: ClassVar[str] = "system.listMethods"


@dataclass(frozen=True, slots=True)
class MethodHelp(Request):
    """What a method does."""

    method: ClassVar[str] = "system.methodHelp"
    name: str


@dataclass(frozen=True, slots=True)
class MethodSignature(Request):
    """What types a method takes and returns."""

    method: ClassVar[str] = "system.methodSignature"
    name: str


@dataclass(frozen=True, slots=True)
class Multicall(Request):
    """Several calls at once; each is decoded when its turn comes, so that each has an answer or fault of its own."""

    method: ClassVar[str] = "system.multicall"
    calls: tuple[MethodCall, ...]

    def to_call(self) -> MethodCall:
        """Return the call as it stands on the wire."""
        structs = [{"methodName": call.method, "params": list(call.params)} for call in self.calls]
        return MethodCall(self.method, (structs,))


@dataclass(frozen=True, slots=True)
class ActiveBrowsers(Request):
    """Which browsers can be asked for now."""

    method: ClassVar[str] = "browsers.active"


@dataclass(frozen=True, slots=True)
class Features(Request):
    """Which requests a factory is given."""

    method: ClassVar[str] = "factories.features"
    factory: str


@dataclass(frozen=True, slots=True)
class Challenge(Request):
    """A factory asks for a nonce."""

    method: ClassVar[str] = "nonces.challenge"
    factory: str


@dataclass(frozen=True, slots=True)
class ChallengeUser(Request):
    """A user asks for a nonce."""

    method: ClassVar[str] = "nonces.challengeUser"
    username: str


@dataclass(frozen=True, slots=True)
class Verify(Request):
    """A factory tries its password."""

    method: ClassVar[str] = "nonces.verify"
    factory: str
    encrypted: str


@dataclass(frozen=True, slots=True)
class VerifyUser(Request):
    """A user tries a password."""

    method: ClassVar[str] = "nonces.verifyUser"
    username: str
    encrypted: str


@dataclass(frozen=True, slots=True)
class Poll(Request):
    """A factory asks for work."""

    method: ClassVar[str] = "requests.poll"
    factory: str
    encrypted: str


@dataclass(frozen=True, slots=True)
class Status(Request):
    """How far a group of requests is."""

    method: ClassVar[str] = "requests.status"
    group: int


@dataclass(frozen=True, slots=True)
class Submit(Request):
    """A user orders screenshots of one page; `browsers` are names as `read_browsers` takes them."""

    method: ClassVar[str] = "requests.submit"
    username: str
    encrypted: str
    url: str
    browsers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Upload(Request):
    """A factory delivers a screenshot; its bytes went to the reader's sink."""

    method: ClassVar[str] = "screenshots.upload"
    factory: str
    encrypted: str
    request: int
    screenshot: Base64


def encode_call(request: Request) -> bytes:
    """Write a typed request; an upload goes through `write_upload`."""
    return xmlrpc.write_call(request.to_call())


def write_upload(upload: Upload, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the call that delivers a screenshot, from the file's bytes in pieces of any size."""
    return xmlrpc.write_call_with_file(_without_file(upload), pieces)


def size_of_upload(upload: Upload) -> int:
    """Return the Content-Length of what `write_upload` yields, when the file has the size that `upload` says."""
    return xmlrpc.size_of_call_with_file(_without_file(upload), upload.screenshot.size_bytes)


def _without_file(upload: Upload) -> MethodCall:
    return MethodCall(upload.method, upload.to_call().params[:-1])


def read_string(name: str, value: Value) -> str:
    """Read a string; raise BadInput."""
    if not isinstance(value, str):
        raise BadInput(f"the parameter {name} must be a string")
    return value


def read_number(name: str, value: Value) -> int:
    """Read a number, or a string of digits, which the old server took too; raise BadInput."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput(f"the parameter {name} must be a number")
    return value


def read_file(name: str, value: Value) -> Base64:
    """Read a file; raise BadInput."""
    if not isinstance(value, Base64):
        raise BadInput(f"the parameter {name} must be base64")
    return value


def read_strings(name: str, value: Value) -> tuple[str, ...]:
    """Read a list of strings; raise BadInput."""
    if not isinstance(value, list):
        raise BadInput(f"the parameter {name} must be a list")
    return tuple(read_string(name, item) for item in value)


def read_calls(name: str, value: Value) -> tuple[MethodCall, ...]:
    """Read the calls of a multicall; raise BadInput."""
    if not isinstance(value, list) or len(value) > MAX_CALLS:
        raise BadInput(f"the parameter {name} must be a list of at most {MAX_CALLS} calls")
    return tuple(_one_call(item) for item in value)


def _one_call(item: Value) -> MethodCall:
    match item:
        case {"methodName": str(method), "params": list(params)} if method != Multicall.method:
            return MethodCall(method, tuple(params))
    raise BadInput("each call must hold methodName and params, and may not be a multicall itself")
