"""XML that a stranger sent: read where it is harmless, refused where it is not."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.model.errors import MalformedMessage, SheepfoldError, TooLarge
from sheepfold.protocols.sheepit.documents import MAX_DOCUMENT_BYTES, Element, read, write

BOMB = b"".join(b"<!ENTITY a%d '%s'>" % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 12))


@pytest.mark.parametrize("body", [
    b"<!DOCTYPE a [<!ENTITY a0 'xxxxxxxxxx'>" + BOMB + b"]><a>&a11;</a>",
    b"<!DOCTYPE a [<!ENTITY a0 'xxxxxxxxxx'>" + BOMB + b"]><a b='&a11;'/>",
    b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><a>&x;</a>",
    b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a/>",
    "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE a><a/>".encode("utf-16"),
])
def test_a_document_type_is_refused(body):
    with pytest.raises(MalformedMessage, match="document type"):
        read(body)


@pytest.mark.parametrize("body", [
    b"", b" ", b"<a>", b"<a></b>", b"<a>&nbsp;</a>", b"<a>\xff</a>", b"<a/><b/>", b"<a b='1' b='2'/>",
    b"<?xml version='1.0' encoding='nonsense'?><a/>"])
def test_what_is_not_well_formed_is_refused(body):
    with pytest.raises(MalformedMessage):
        read(body)


def test_depth_number_and_size_are_limited():
    for body in (b"<a>" * 17 + b"</a>" * 17, b"<a>" + b"<b/>" * 20_000 + b"</a>"):
        with pytest.raises(MalformedMessage, match="at most"):
            read(body)
    with pytest.raises(TooLarge):
        read(b"<a>" + b" " * MAX_DOCUMENT_BYTES + b"</a>")


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_raise_the_farms_errors_only(body):
    with suppress(SheepfoldError):
        read(body)


def test_text_comments_and_entities_of_xml_itself_are_read():
    root = read(b"<?xml version='1.0'?><a x='&lt;'>b<!-- c --><?p i?>&amp;<![CDATA[<d>]]><e/>f</a>")
    assert root == Element("a", {"x": "<"}, "b&<d>f", [Element("e")])
    assert read(write(root)).attributes == {"x": "<"}


@pytest.mark.parametrize(("written", "text"), [
    ("&amp;", "&"), ("&#38;", "&"), ("&amp;#38;", "&#38;"), ("&amp;amp;", "&amp;"), ("&lt;&#60;&quot;", '<<"'),
    ("&amp;lt;", "&lt;")])
def test_an_attribute_is_unescaped_once(written, text):
    assert read(f"<a b='{written}'>{written}</a>".encode()) == Element("a", {"b": text}, text)


def test_elements_are_found_at_any_depth():
    root = read(b"<a><b><c n='1'/></b><c n='2'/></a>")
    assert [element.attributes["n"] for element in root.all("c")] == ["1", "2"]
    assert root.first("d") is None
