"""What Browsershots' API answers, as typed values: a nonce, a request, a group's progress and a multicall."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Self, TypeAlias

from sheepfold.model.errors import MalformedMessage
from sheepfold.protocols.browsershots.credentials import Algorithm
from sheepfold.protocols.browsershots.xmlrpc import Fault, Value


def multicall_answer(results: Iterable[Value | Fault]) -> Value:
    """Return the answer to a multicall by the standard: each result in a list of its own, each fault a struct."""
    return [result.to_value() if isinstance(result, Fault) else [result] for result in results]


def read_multicall(value: Value) -> list[Value | Fault]:
    """Read the answer to a multicall; raise MalformedMessage."""
    if not isinstance(value, list):
        raise MalformedMessage("a list of results was expected")
    return [_one_result(item) for item in value]


def _one_result(item: Value) -> Value | Fault:
    match item:
        case {"faultCode": int(code), "faultString": str(message)}:
            return Fault(code, message)
        case [result]:
            return result
    raise MalformedMessage("each result must be a list of one value, or a fault")


Struct: TypeAlias = Mapping[str, Value]

# What an old client reads without looking whether it is there.
_INDISPENSABLE = frozenset({"request", "browser", "command", "width", "height", "bpp"})


@dataclass(frozen=True, slots=True)
class ChallengeAnswer:
    """The answer to nonces.challenge and nonces.challengeUser; an algorithm they do not know crashes old clients."""

    algorithm: Algorithm
    salt: str
    nonce: str

    def to_value(self) -> dict[str, Value]:
        """Return the struct."""
        return {"algorithm": str(self.algorithm), "salt": self.salt, "nonce": self.nonce}

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read the struct; raise MalformedMessage."""
        struct = _struct(value)
        algorithm = _text_of(struct, "algorithm")
        if algorithm not in set(Algorithm):
            raise MalformedMessage(f"sha1 or md5 was expected, found {algorithm!r:.40}")
        return cls(Algorithm(algorithm), _text_of(struct, "salt"), _text_of(struct, "nonce"))


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """The answer to requests.poll: always all twelve keys, since old clients end on one that is missing.

    Width and height in pixels, `bpp` in bits.
    """

    request: int
    browser: str
    version: str = ""
    major: int = 0
    minor: int = 0
    command: str = ""
    width: int = 1024
    height: int = 768
    bpp: int = 24
    javascript: str = ""
    java: str = ""
    flash: str = ""

    def to_value(self) -> dict[str, Value]:
        """Return the struct."""
        return asdict(self)

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read the struct; raise MalformedMessage without what a client cannot do without."""
        usual = {name: word for name, word in asdict(cls(0, "")).items() if name not in _INDISPENSABLE}
        struct = usual | dict(_struct(value))
        return cls(
            request=_number_of(struct, "request"), browser=_text_of(struct, "browser"),
            version=_text_of(struct, "version"), major=_number_of(struct, "major"), minor=_number_of(struct, "minor"),
            command=_text_of(struct, "command"), width=_number_of(struct, "width"), height=_number_of(struct, "height"),
            bpp=_number_of(struct, "bpp"), javascript=_text_of(struct, "javascript"), java=_text_of(struct, "java"),
            flash=_text_of(struct, "flash"))


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One browser's line in the answer to requests.status; `hashkey` is empty until there is a screenshot."""

    browser: str
    status: str
    seconds: int
    hashkey: str = ""

    def to_value(self) -> dict[str, Value]:
        """Return the struct."""
        return asdict(self)

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read the struct; raise MalformedMessage."""
        struct = _struct(value)
        return cls(_text_of(struct, "browser"), _text_of(struct, "status"), _number_of(struct, "seconds"),
                   _text_of(struct, "hashkey"))


def read_texts(value: Value) -> list[str]:
    """Read a list of strings, such as the answer to browsers.active; raise MalformedMessage."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MalformedMessage("a list of strings was expected")
    return [str(item) for item in value]


def _struct(value: Value) -> Struct:
    if not isinstance(value, dict):
        raise MalformedMessage("a struct was expected")
    return value


def _text_of(struct: Struct, name: str) -> str:
    value = struct.get(name)
    if not isinstance(value, str):
        raise MalformedMessage(f"the member {name} must be a string")
    return value


def _number_of(struct: Struct, name: str) -> int:
    value = struct.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedMessage(f"the member {name} must be a number")
    return value
