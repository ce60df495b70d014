"""XML-RPC both ways: a reader that streams a file out of a call, and writers of calls, answers and faults.

The standard library's reader holds a body whole, several times over, and trusts it. This one is fed piece by piece,
gives the decoded bytes of `<base64>` to a sink as they come, and refuses document types, deep nesting and large values.
"""

import binascii
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias, cast

from lxml import etree

from sheepfold.model.errors import MalformedMessage, TooLarge

CONTENT_TYPE = "text/xml"

Sink: TypeAlias = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Base64:
    """A file that a reader gave to its sink, by its size."""

    size_bytes: int


Value: TypeAlias = str | int | bool | float | Base64 | bytes | Sequence["Value"] | Mapping[str, "Value"]


@dataclass(frozen=True, slots=True)
class MethodCall:
    """A call as it stands on the wire."""

    method: str
    params: tuple[Value, ...] = ()


class Fault(Exception):
    """The other side answered with a fault."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    def to_value(self) -> dict[str, Value]:
        """Return the struct that stands for the fault, as an item of a multicall does."""
        return {"faultCode": self.code, "faultString": self.message}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a message is read; `text_chars` counts all text but the file's."""

    depth: int = 64
    values: int = 10_000
    text_chars: int = 1_000_000
    file_bytes: int = 64 * 1024 * 1024


DEFAULT_LIMITS = Limits()


class MessageReader:
    """Reads one message as it arrives: `feed` its bytes, then `close` and take the call or the answer.

    Everything wrong with the bytes is MalformedMessage, or TooLarge for the file; what the sink raises goes through.
    One file is read at most, and none without a sink. After an error a reader is of no more use.
    """

    def __init__(self, sink: Sink | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        self._target = _Target(sink, limits)
        self._parser = etree.XMLParser(
            target=cast("etree.ParserTarget", self._target), resolve_entities=False, no_network=True, load_dtd=False,
            huge_tree=False)

    def feed(self, piece: bytes) -> None:
        """Read the next bytes of the message."""
        try:
            self._parser.feed(piece)
        except etree.LxmlError as error:
            raise MalformedMessage(str(error)) from None

    def close_call(self) -> MethodCall:
        """Return the call that was read."""
        message = self._close()
        if not isinstance(message, MethodCall):
            raise MalformedMessage("a methodCall was expected, found a methodResponse")
        return message

    def close_response(self) -> Value:
        """Return the value of the answer that was read; raise Fault if it is one."""
        message = self._close()
        if isinstance(message, MethodCall):
            raise MalformedMessage("a methodResponse was expected, found a methodCall")
        if isinstance(message, Fault):
            raise message
        return message.value

    @property
    def method(self) -> str | None:
        """The method's name, once it has been read; the file comes later."""
        return self._target.method

    def _close(self) -> "MethodCall | _Answer | Fault":
        try:
            self._parser.close()
        except etree.LxmlError as error:
            raise MalformedMessage(str(error)) from None
        if self._target.message is None:
            raise MalformedMessage("the message is empty")
        return self._target.message


def read_call(body: bytes, sink: Sink | None = None, limits: Limits = DEFAULT_LIMITS) -> MethodCall:
    """Read a call that is at hand whole; raise MalformedMessage or TooLarge."""
    reader = MessageReader(sink, limits)
    reader.feed(body)
    return reader.close_call()


def read_response(body: bytes, limits: Limits = DEFAULT_LIMITS) -> Value:
    """Read an answer's value; raise Fault, MalformedMessage or TooLarge."""
    reader = MessageReader(None, limits)
    reader.feed(body)
    return reader.close_response()


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Value


@dataclass(frozen=True, slots=True)
class _Params:
    values: tuple[Value, ...]


@dataclass(slots=True)
class _Open:
    """An element whose end has not come: what its children and its text have been so far."""

    tag: str
    parts: list[object] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


_SCALARS = frozenset({"string", "int", "i4", "boolean", "double", "base64"})
_TEXTS = _SCALARS | {"methodName", "name", "value"}
# What may stand in an element: these children in this order, ...
_SEQUENCES: Mapping[str, tuple[str, ...]] = {
    "methodCall": ("methodName", "params"), "param": ("value",), "fault": ("value",), "array": ("data",),
    "member": ("name", "value")}
# ... any number of this child, ...
_REPEATS: Mapping[str, str] = {"params": "param", "data": "value", "struct": "member"}
# ... or one of these.
_CHOICES: Mapping[str, frozenset[str]] = {
    "": frozenset({"methodCall", "methodResponse"}), "methodResponse": frozenset({"params", "fault"}),
    "value": _SCALARS | {"array", "struct"}}


class _Target:
    """The parser's target: it keeps a stack of open elements and folds each into a value when it ends."""

    def __init__(self, sink: Sink | None, limits: Limits) -> None:
        self.method: str | None = None
        self.message: MethodCall | _Answer | Fault | None = None
        self._limits = limits
        self._stack = [_Open("")]
        self._values = 0
        self._chars = 0
        self._file = _Base64Reader(sink, limits.file_bytes)

    def doctype(self, *_: object) -> NoReturn:
        raise MalformedMessage("a document type is not allowed")

    def start(self, tag: str, _attributes: object) -> None:
        if not _may_follow(self._stack[-1], tag):
            raise MalformedMessage(f"<{tag:.40}> is not expected in <{self._stack[-1].tag}>")
        self._values += tag == "value"
        if len(self._stack) > self._limits.depth or self._values > self._limits.values:
            limits = f"{self._limits.depth} levels and {self._limits.values} values"
            raise MalformedMessage(f"at most {limits} were expected")
        if tag == "base64":
            self._file.open()
        self._stack.append(_Open(tag))

    def data(self, text: str) -> None:
        element = self._stack[-1]
        if element.tag == "base64":
            self._file.feed(text)
        elif element.tag in _TEXTS:
            self._keep(element, text)
        elif not text.isspace():
            raise MalformedMessage(f"no text is expected in <{element.tag}>")

    def end(self, _tag: str) -> None:
        element = self._stack.pop()
        part = self._file.close() if element.tag == "base64" else _FOLDS[element.tag](element)
        if element.tag == "methodName":
            self.method = str(part)
        self._stack[-1].parts.append(part)

    def close(self) -> None:
        if self._stack[0].parts:
            self.message = cast("MethodCall | _Answer | Fault", self._stack[0].parts[0])

    def _keep(self, element: _Open, text: str) -> None:
        self._chars += len(text)
        if self._chars > self._limits.text_chars:
            raise MalformedMessage(f"at most {self._limits.text_chars} characters of text were expected")
        element.text.append(text)


def _may_follow(element: _Open, tag: str) -> bool:
    """Say whether `tag` may be the next child of `element`."""
    if element.tag in _SEQUENCES:
        return tag in _SEQUENCES[element.tag][len(element.parts):len(element.parts) + 1]
    if element.tag in _REPEATS:
        return tag == _REPEATS[element.tag]
    return not element.parts and tag in _CHOICES.get(element.tag, ())


class _Base64Reader:
    """Decodes one file piece by piece into the sink."""

    def __init__(self, sink: Sink | None, limit_bytes: int) -> None:
        self._sink = sink
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._rest = b""
        self._has_opened = False
        self._has_ended = False

    def open(self) -> None:
        """Begin the file; raise MalformedMessage if none or no second one is expected."""
        if self._sink is None or self._has_opened:
            raise MalformedMessage("at most one file was expected" if self._sink else "no file was expected")
        self._has_opened = True

    def feed(self, text: str) -> None:
        """Decode the whole quartets of what has come so far; four letters make three bytes."""
        letters = self._rest + "".join(text.split()).encode("ascii", "replace")
        whole = len(letters) - len(letters) % 4
        self._rest = letters[whole:]
        if whole:
            self._decode(letters[:whole])

    def close(self) -> Base64:
        """End the file."""
        if self._rest:
            raise MalformedMessage("the base64 text is cut off")
        return Base64(self._size_bytes)

    def _decode(self, letters: bytes) -> None:
        if self._has_ended:
            raise MalformedMessage("the base64 text goes on after its end")
        try:
            piece = binascii.a2b_base64(letters, strict_mode=True)
        except binascii.Error as error:
            raise MalformedMessage(f"base64 was expected: {error}") from None
        self._has_ended = letters.endswith(b"=")
        self._size_bytes += len(piece)
        if self._size_bytes > self._limit_bytes:
            raise TooLarge(f"a file of at most {self._limit_bytes} bytes was expected")
        assert self._sink is not None
        self._sink(piece)


def _text(element: _Open) -> str:
    return "".join(element.text)


def _number(element: _Open) -> int:
    text = _text(element).strip()
    number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,10}", text, re.ASCII) else 2**31
    if not -2**31 <= number < 2**31:
        raise MalformedMessage(f"a number of 32 bits was expected, found {text!r:.40}")
    return number


def _boolean(element: _Open) -> bool:
    text = _text(element).strip()
    if text not in {"0", "1"}:
        raise MalformedMessage(f"0 or 1 was expected, found {text!r:.40}")
    return text == "1"


def _double(element: _Open) -> float:
    text = _text(element).strip()
    if not re.fullmatch(r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?", text, re.ASCII):
        raise MalformedMessage(f"a decimal number was expected, found {text!r:.40}")
    if math.isinf(float(text)):
        raise MalformedMessage(f"a smaller number was expected, found {text!r:.40}")
    return float(text)


def _value(element: _Open) -> object:
    if not element.parts:
        return _text(element)  # a value without a type is a string
    if _text(element).strip():
        raise MalformedMessage("a value holds text beside its type")
    return element.parts[0]


def _only(element: _Open) -> object:
    if not element.parts:
        raise MalformedMessage(f"<{element.tag}> is empty")
    return element.parts[0]


def _member(element: _Open) -> tuple[object, ...]:
    if len(element.parts) < 2:
        raise MalformedMessage("a member needs a name and a value")
    return tuple(element.parts)


def _call(element: _Open) -> MethodCall:
    params = element.parts[1] if len(element.parts) > 1 else _Params(())
    assert isinstance(params, _Params)
    return MethodCall(str(_only(element)), params.values)


def _response(element: _Open) -> _Answer | Fault:
    part = _only(element)
    if isinstance(part, Fault):
        return part
    if not isinstance(part, _Params) or len(part.values) != 1:
        raise MalformedMessage("an answer with one value was expected")
    return _Answer(part.values[0])


def _fault(element: _Open) -> Fault:
    match _only(element):
        case {"faultCode": int(code), "faultString": str(message)}:
            return Fault(code, message)
    raise MalformedMessage("a fault needs faultCode and faultString")


def _params(element: _Open) -> _Params:
    return _Params(tuple(cast("list[Value]", element.parts)))


def _data(element: _Open) -> list[object]:
    return element.parts


def _struct(element: _Open) -> dict[str, object]:
    return dict(cast("list[tuple[str, object]]", element.parts))


_FOLDS: Mapping[str, Callable[[_Open], object]] = {
    "methodCall": _call, "methodResponse": _response, "methodName": _text, "name": _text, "string": _text,
    "int": _number, "i4": _number, "boolean": _boolean, "double": _double, "value": _value, "param": _only,
    "params": _params, "fault": _fault, "array": _only, "data": _data, "member": _member, "struct": _struct,
}

_HEAD = "<?xml version='1.0'?>\n"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("\r"): "&#13;"}
_LINE_BYTES = 57  # of a file, in a line of 76 letters of base64
_LINE_CHARS = 77  # with its end
_BLOCK_BYTES = _LINE_BYTES * 1024


def write_call(call: MethodCall) -> bytes:
    """Write a call whose files, if any, are at hand as bytes."""
    params = "".join(f"<param>\n{_written(param)}</param>\n" for param in call.params)
    return f"{_HEAD}<methodCall>\n{_named(call.method)}<params>\n{params}</params>\n</methodCall>\n".encode()


def write_response(value: Value) -> bytes:
    """Write an answer. Characters that XML cannot hold become U+FFFD; numbers beyond 32 bits raise ValueError."""
    params = f"<params>\n<param>\n{_written(value)}</param>\n</params>\n"
    return f"{_HEAD}<methodResponse>\n{params}</methodResponse>\n".encode()


def write_fault(fault: Fault) -> bytes:
    """Write a fault; it travels with HTTP status 200, as every answer does."""
    return f"{_HEAD}<methodResponse>\n<fault>\n{_written(fault.to_value())}</fault>\n</methodResponse>\n".encode()


def write_call_with_file(call: MethodCall, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a call whose last parameter is a file that comes in pieces of any size."""
    head, tail = _around_file(call)
    yield head
    rest = b""
    for piece in pieces:
        rest += piece
        whole = len(rest) - len(rest) % _LINE_BYTES
        for at in range(0, whole, _BLOCK_BYTES):
            yield _base64_lines(rest[at:min(at + _BLOCK_BYTES, whole)])
        rest = rest[whole:]
    yield _base64_lines(rest) + tail


def size_of_call_with_file(call: MethodCall, file_bytes: int) -> int:
    """Return the Content-Length of what `write_call_with_file` yields for a file of `file_bytes`."""
    head, tail = _around_file(call)
    lines, rest = divmod(file_bytes, _LINE_BYTES)
    last = 4 * math.ceil(rest / 3) + 1 if rest else 0
    return len(head) + lines * _LINE_CHARS + last + len(tail)


def _around_file(call: MethodCall) -> tuple[bytes, bytes]:
    params = "".join(f"<param>\n{_written(param)}</param>\n" for param in call.params)
    head = f"{_HEAD}<methodCall>\n{_named(call.method)}<params>\n{params}<param>\n<value><base64>\n"
    return head.encode(), b"</base64></value>\n</param>\n</params>\n</methodCall>\n"


def _named(method: str) -> str:
    return f"<methodName>{_escaped(method)}</methodName>\n"


def _base64_lines(data: bytes) -> bytes:
    return b"".join(binascii.b2a_base64(data[at:at + _LINE_BYTES]) for at in range(0, len(data), _LINE_BYTES))


def _written(value: Value) -> str:
    return f"<value>{_typed(value)}</value>\n"


def _typed(value: Value) -> str:
    match value:
        case bool():
            return f"<boolean>{value:d}</boolean>"
        case int() if -2**31 <= value < 2**31:
            return f"<int>{int(value)}</int>"
        case float() if math.isfinite(value):
            return f"<double>{value!r}</double>"
        case str():
            return f"<string>{_escaped(value)}</string>"
        case bytes():
            return f"<base64>\n{_base64_lines(value).decode()}</base64>"
        case _:
            return _composed(value)


def _composed(value: Value) -> str:
    match value:
        case Mapping():
            members = "".join(f"<member>\n<name>{_escaped(name)}</name>\n{_written(part)}</member>\n"
                              for name, part in value.items())
            return f"<struct>\n{members}</struct>"
        case list() | tuple():
            return f"<array><data>\n{''.join(_written(part) for part in value)}</data></array>"
        case _:
            raise ValueError(f"XML-RPC cannot hold {value!r:.40}")


def _escaped(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text).translate(_ESCAPES)
