"""SheepIt's small XML documents: read without trust, written so that every client's parser takes them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn, cast

from lxml import etree

from sheepfold.model.errors import MalformedMessage, TooLarge

MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 16
MAX_ELEMENTS = 20_000

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True)
class Element:
    """One element of a document: its name, attributes, text (without that of children) and children."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def walk(self) -> Iterator["Element"]:
        """Yield this element and all below it, in the document's order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def all(self, tag: str) -> list["Element"]:
        """Return the elements of this name, at any depth."""
        return [element for element in self.walk() if element.tag == tag]

    def first(self, tag: str) -> "Element | None":
        """Return the first element of this name, at any depth."""
        return next((element for element in self.walk() if element.tag == tag), None)


def read(body: bytes) -> Element:
    """Read a document; raise MalformedMessage, or TooLarge above 4 MiB.

    A document type is refused, and with it every entity of its own.
    """
    if len(body) > MAX_DOCUMENT_BYTES:
        raise TooLarge(f"a document of at most {MAX_DOCUMENT_BYTES} bytes was expected, {len(body)} arrived")
    parser = etree.XMLParser(
        target=cast("etree.ParserTarget", _Tree()), resolve_entities=False, no_network=True, load_dtd=False,
        huge_tree=False)
    try:
        parser.feed(body)
        return _root(parser.close())
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise MalformedMessage(f"XML was expected: {error}") from None


def write(root: Element) -> bytes:
    """Write a document in UTF-8; characters that XML cannot hold become U+FFFD."""
    return etree.tostring(_lxml(root), xml_declaration=True, encoding="utf-8")


def _root(tree: object) -> Element:
    if not isinstance(tree, Element):
        raise MalformedMessage("XML was expected, found an empty document")
    return tree


def _lxml(element: Element) -> "etree._Element":
    made = etree.Element(element.tag, {name: _clean(value) for name, value in element.attributes.items()})
    made.text = _clean(element.text) or None
    made.extend([_lxml(child) for child in element.children])
    return made


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


class _Tree:
    """The parser's target: it keeps elements, attributes and text, and refuses what no client sends."""

    def __init__(self) -> None:
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._root: Element | None = None
        self._count = 0

    def doctype(self, *_: object) -> NoReturn:
        raise MalformedMessage("a document type is not allowed")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise MalformedMessage(f"at most {MAX_DEPTH} levels and {MAX_ELEMENTS} elements were expected")
        # Where it resolves no entities, libxml2 gives a target `&#38;` for each ampersand of an attribute.
        element = Element(tag, {name: value.replace("&#38;", "&") for name, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)
        self._texts.append([])

    def data(self, text: str) -> None:
        self._texts[-1].append(text)

    def end(self, _tag: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def close(self) -> Element | None:
        return self._root
