"""What Electric Sheep's messages are wrapped in: query strings, bounded integers, gzip bodies and XML documents."""

import gzip
import re
import zlib
from collections.abc import Mapping
from urllib.parse import parse_qsl

from lxml import etree

from sheepfold.model.errors import MalformedMessage, MissingParameter, TooLarge

MAX_INTEGER = 2**31 - 1
# The clients build their URLs in buffers of 5120 characters at most (protocol note 1.5).
MAX_QUERY_CHARACTERS = 8192
MAX_PARAMETERS = 32
MAX_UNPACKED_BYTES = 32 * 2**20

_GZIP_MAGIC = b"\x1f\x8b"
_UPPER_CASE_ESCAPES = {byte: chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"%{byte:02X}"
                       for byte in range(256)}


def parameters(query: str | bytes) -> list[tuple[str, str]]:
    """Split a raw query string into names and decoded values, in order; raises MalformedMessage when it is too long.

    Bytes that are no UTF-8 become U+FFFD: the Windows clients percent-encode names in the code page of their machine.
    """
    text = query.decode("utf-8", "replace") if isinstance(query, bytes) else query
    if len(text) > MAX_QUERY_CHARACTERS:
        raise MalformedMessage(f"A query has at most {MAX_QUERY_CHARACTERS} characters, not {len(text)}.")
    try:
        return parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise MalformedMessage(f"A query has at most {MAX_PARAMETERS} parameters.") from error


def first_values(query: str | bytes) -> dict[str, str]:
    """Read a query string into a mapping; where a name comes twice, the first value counts."""
    return dict(reversed(parameters(query)))


def percent(text: str) -> str:
    """Encode as the clients do: all but ASCII letters and digits as upper-case %XX (protocol note 1.0)."""
    return "".join(_UPPER_CASE_ESCAPES[byte] for byte in text.encode("utf-8", "replace"))


def printable(text: str, limit: int) -> str:
    """Drop control characters and lone surrogates, and cut to `limit` characters."""
    return "".join(char for char in text if char.isprintable())[:limit]


def required(fields: Mapping[str, str], name: str) -> str:
    """Return a parameter or attribute; raises MissingParameter."""
    if name not in fields:
        raise MissingParameter(f"The parameter {name!r} is missing.")
    return fields[name]


def integer(fields: Mapping[str, str], name: str, low: int = 0, high: int = MAX_INTEGER, *,
            default: int | None = None) -> int:
    """Read a decimal integer between `low` and `high`; raises MissingParameter without a default, MalformedMessage."""
    if default is not None and name not in fields:
        return default
    text = required(fields, name)
    if not re.fullmatch(r"-?[0-9]{1,10}", text) or not low <= int(text) <= high:
        raise MalformedMessage(f"{name!r} must be an integer from {low} to {high}, not {text[:40]!r}.")
    return int(text)


def optional_integer(fields: Mapping[str, str], name: str, low: int = 0, high: int = MAX_INTEGER) -> int | None:
    """Read an integer that may be absent."""
    return integer(fields, name, low, high) if name in fields else None


def packed(document: bytes) -> bytes:
    """Compress a document as a gzip file, with the same bytes for the same document."""
    return gzip.compress(document, compresslevel=3, mtime=0)  # a tenth more bytes than by 6, in a third of the time


def unpacked(body: bytes, limit: int = MAX_UNPACKED_BYTES) -> bytes:
    """Inflate a gzip body, or return a plain one; raises TooLarge past `limit` bytes, MalformedMessage if it is cut."""
    if len(body) > limit:
        raise TooLarge(f"A body has at most {limit} bytes.")
    if not body.startswith(_GZIP_MAGIC):
        return body
    inflater = zlib.decompressobj(wbits=31)
    try:
        document = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise MalformedMessage(f"The gzip body is damaged: {error}.") from error
    if len(document) > limit:
        raise TooLarge(f"A body has at most {limit} bytes when inflated.")
    if not inflater.eof:
        raise MalformedMessage("The gzip body ends too early.")
    return document


def root_of(document: bytes, name: str) -> etree._Element:
    """Parse an XML document whose root is `name`; raises MalformedMessage, also for any document type declaration."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
                             remove_comments=True, remove_pis=True, encoding="utf-8")
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MalformedMessage(f"The XML cannot be read: {str(error)[:200]}.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedMessage("A document type declaration is not allowed.")
    if root.tag != name:
        raise MalformedMessage(f"The root must be <{name}>, not <{str(root.tag)[:40]}>.")
    return root


def attributes(element: etree._Element) -> dict[str, str]:
    """Return an element's attributes as plain text."""
    return {str(name): str(value) for name, value in element.attrib.items()}


def document_of(root: etree._Element) -> bytes:
    """Print a tree without an XML declaration, in ASCII with character references, which every parser reads alike."""
    return etree.tostring(root)
