"""XML-RPC: what is written is read again, by us and by the standard library; files stream, and harm is refused."""

import base64
import tracemalloc
import xmlrpc.client
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.model.errors import MalformedMessage, SheepfoldError, TooLarge
from sheepfold.protocols.browsershots.xmlrpc import (
    Base64,
    Fault,
    Limits,
    MessageReader,
    MethodCall,
    read_call,
    read_response,
    size_of_call_with_file,
    write_call,
    write_call_with_file,
    write_fault,
    write_response,
)

MIB = 1024 * 1024

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]) | st.sampled_from("\t\n\r<>&\"']"), max_size=20)
integers = st.integers(-2**31, 2**31 - 1)
scalars = st.one_of(texts, integers, st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12)
calls = st.builds(MethodCall, texts, st.lists(values, max_size=4).map(tuple))
pieces = st.lists(st.binary(max_size=200), max_size=8)


def call_of(inside: str) -> bytes:
    return f"<methodCall><methodName>m</methodName><params>{inside}</params></methodCall>".encode()


def value_of(inside: str) -> object:
    return read_call(call_of(f"<param><value>{inside}</value></param>")).params[0]


@given(calls)
def test_a_call_survives_its_way(call):
    assert read_call(write_call(call)) == call


@given(values)
def test_an_answer_survives_its_way(value):
    assert read_response(write_response(value)) == value


@given(integers, texts)
def test_a_fault_survives_its_way(code, message):
    with pytest.raises(Fault) as caught:
        read_response(write_fault(Fault(code, message)))
    assert (caught.value.code, caught.value.message) == (code, message)


@given(calls, st.integers(1, 50))
def test_it_does_not_matter_how_a_message_is_cut(call, size):
    body, reader = write_call(call), MessageReader()
    for at in range(0, len(body), size):
        reader.feed(body[at:at + size])
    assert reader.close_call() == call


@given(calls)
def test_the_standard_library_reads_our_calls(call):
    assert xmlrpc.client.loads(write_call(call)) == (call.params, call.method)


@given(st.lists(values, max_size=4).map(tuple).filter(lambda params: "\\r" not in repr(params)))
def test_we_read_the_standard_librarys_calls(params):
    assert read_call(xmlrpc.client.dumps(params, "m").encode()) == MethodCall("m", params)


@given(pieces, st.integers(1, 100))
def test_a_file_survives_its_way_however_it_is_cut(file, size):
    call, got = MethodCall("screenshots.upload", ("argo", 7)), bytearray()
    body, reader = b"".join(write_call_with_file(call, file)), MessageReader(got.extend)
    for at in range(0, len(body), size):
        reader.feed(body[at:at + size])
    whole = b"".join(file)
    assert reader.close_call() == MethodCall(call.method, (*call.params, Base64(len(whole))))
    assert got == whole
    assert len(body) == size_of_call_with_file(call, len(whole))


@given(pieces)
def test_an_upload_is_wrapped_as_the_standard_library_wraps_it(file):
    body = b"".join(write_call_with_file(MethodCall("m", (1,)), file))
    (number, data), method = xmlrpc.client.loads(body)
    assert (number, data.data, method) == (1, b"".join(file), "m")
    assert body == write_call(MethodCall("m", (1, b"".join(file))))
    assert all(len(line) <= 76 for line in body.splitlines())


def test_fifty_megabytes_pass_in_little_memory():
    file = (bytes([number % 250]) * 100_003 for number in range(500))
    seen = {"bytes": 0, "last": b""}

    def sink(piece: bytes) -> None:
        seen.update(bytes=seen["bytes"] + len(piece), last=piece[-1:])

    reader = MessageReader(sink)
    tracemalloc.start()
    try:
        for piece in write_call_with_file(MethodCall("screenshots.upload", ("argo",)), file):
            reader.feed(piece)
        call = reader.close_call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert call.params == ("argo", Base64(50_001_500))
    assert seen == {"bytes": 50_001_500, "last": bytes([499 % 250])}
    assert peak < 2 * MIB


def test_base64_in_one_long_line_streams_too():
    line, sizes = b"QUJD" * 16384, []
    reader = MessageReader(lambda piece: sizes.append(len(piece)))
    reader.feed(b"<methodCall><methodName>m</methodName><params><param><value><base64>")
    for _ in range(200):
        reader.feed(line)
    reader.feed(b"</base64></value></param></params></methodCall>")
    assert reader.close_call().params == (Base64(200 * 49152),)
    assert sum(sizes) == 200 * 49152
    assert max(sizes) < 2 * 49152


def test_a_file_above_its_limit_ends_the_reading():
    got = bytearray()
    with pytest.raises(TooLarge):
        read_call(write_call(MethodCall("m", (b"x" * 2000,))), got.extend, Limits(file_bytes=1000))
    assert len(got) <= 1000


def test_what_a_sink_raises_comes_through():
    def full(_: bytes) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        read_call(write_call(MethodCall("m", (b"abc",))), full)


def test_the_methods_name_is_known_before_the_file():
    reader, named = MessageReader(lambda _: named.append(reader.method)), []
    assert reader.method is None
    reader.feed(write_call(MethodCall("screenshots.upload", (b"abc",))))
    assert named == ["screenshots.upload"]


@pytest.mark.parametrize("letters", ["QUI", "Q", "QUI=QUJD", "QU=I", "====", "QU!D", "Qüüü", "QUJD=", "Q=="])
def test_broken_base64_is_refused(letters):
    with pytest.raises(MalformedMessage, match="base64"):
        read_call(call_of(f"<param><value><base64>{letters}</base64></value></param>"), bytearray().extend)


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc"])
def test_base64_may_be_broken_by_blanks(data):
    got = bytearray()
    letters = " \n".join(base64.b64encode(data).decode())
    read_call(call_of(f"<param><value><base64>\n {letters} </base64></value></param>"), got.extend)
    assert got == data


def test_a_file_is_read_once_and_only_with_a_sink():
    with pytest.raises(MalformedMessage, match="no file"):
        read_call(write_call(MethodCall("m", (b"abc",))))
    with pytest.raises(MalformedMessage, match="one file"):
        read_call(write_call(MethodCall("m", (b"abc", b"def"))), bytearray().extend)


BOMB = b"".join(b"<!ENTITY a%d '%s'>" % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 12))


@pytest.mark.parametrize("body", [
    b"<!DOCTYPE a [<!ENTITY a0 'xxxxxxxxxx'>" + BOMB + b"]>" + call_of("&a11;"),
    b"<!DOCTYPE a [<!ENTITY a0 'xxxxxxxxxx'>" + BOMB + b"]><methodCall a='&a11;'/>",
    b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>" + call_of("&x;"),
    b"<!DOCTYPE methodCall SYSTEM 'http://127.0.0.1:1/a.dtd'>" + call_of("")])
def test_a_document_type_is_refused(body):
    with pytest.raises(MalformedMessage, match="document type"):
        read_call(body)


@pytest.mark.parametrize("body", [
    b"", b"\n", b"garbage", b"<methodCall>", b"<methodCall/>", b"<methodResponse/>", b"<html><body>Sorry</body></html>",
    b"<methodCall><params/></methodCall>", b"<methodCall><methodName>a</methodName><methodName>b</methodName>"
    b"</methodCall>",
    b"<methodCall>text<methodName>a</methodName></methodCall>", call_of("<param/>"), call_of("<value/>"),
    call_of("<param><value/><value/></param>"), call_of("<param><value>&nbsp;</value></param>"),
    b"<a:methodCall xmlns:a='b'/>", write_response(1)])
def test_what_is_no_call_is_refused(body):
    with pytest.raises(MalformedMessage):
        read_call(body)


@pytest.mark.parametrize("inside", [
    "<int>1.5</int>", "<int/>", "<int>2147483648</int>", "<int>1_0</int>", "<int>٣</int>",
    "<int>99999999999999999999</int>",
    "<boolean>2</boolean>", "<boolean>true</boolean>", "<double>nan</double>", "<double>inf</double>",
    "<double>1e999</double>", "<double/>", "<nil/>", "<i8>1</i8>",
    "<dateTime.iso8601>20080101T00:00:00</dateTime.iso8601>",
    "<array/>", "<array><value/></array>", "<array><data>x</data></array>", "<struct><member/></struct>",
    "<struct><member><name>a</name></member></struct>", "<struct><member><value>a</value></member></struct>",
    "<string><string/></string>", "<int>1</int><int>2</int>", "text<int>1</int>", "<int>1</int>text"])
def test_a_value_that_is_none_is_refused(inside):
    with pytest.raises(MalformedMessage):
        value_of(inside)


@pytest.mark.parametrize(("inside", "value"), [
    ("text", "text"), ("", ""), (" a\n", " a\n"), ("<string/>", ""), ("<i4>-7</i4>", -7), ("<int> +7\n</int>", 7),
    ("<boolean>1</boolean>", True), ("<double>-1.5</double>", -1.5), ("<double>.5e1</double>", 5.0),
    ("<array><data/></array>", []), ("<struct/>", {}), ("\n<array><data><value>a</value></data></array>\n", ["a"]),
    ("<struct><member><name>a</name><value/></member></struct>", {"a": ""}), ("a<!-- b -->c<?d e?>", "ac"),
    ("<![CDATA[<x>]]>&#65;&amp;", "<x>A&")])
def test_values_are_read_as_the_standard_has_them(inside, value):
    read = value_of(inside)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("limits", [Limits(depth=6), Limits(values=3), Limits(text_chars=5)])
def test_limits_end_the_reading(limits):
    body = write_call(MethodCall("m", ([1, 2, 3, 4, "text"],)))
    assert read_call(body).params
    with pytest.raises(MalformedMessage, match="at most"):
        read_call(body, limits=limits)


def test_deep_nesting_does_not_end_the_program():
    with pytest.raises(MalformedMessage, match="at most 64 levels"):
        value_of("<array><data><value>" * 20_000)


@given(st.binary(max_size=300), st.integers(1, 300))
def test_bytes_of_any_kind_raise_the_farms_errors_only(body, cut):
    for before in (b"", b"<methodCall><methodName>m</methodName><params><param><value><base64>"):
        with suppress(SheepfoldError):
            reader = MessageReader(bytearray().extend)
            reader.feed(before + body[:cut])
            reader.feed(body[cut:])
            reader.close_call()


@given(calls, st.data())
def test_a_damaged_message_raises_the_farms_errors_only(call, data):
    body = bytearray(write_call(call))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with suppress(SheepfoldError):
        read_call(bytes(body), bytearray().extend)
    with suppress(SheepfoldError, Fault):
        read_response(bytes(body).replace(b"methodCall", b"methodResponse"))


@pytest.mark.parametrize("body", [
    b"<methodResponse/>", b"<methodResponse><params/></methodResponse>", write_call(MethodCall("m")),
    b"<methodResponse><fault><value>sorry</value></fault></methodResponse>",
    b"<methodResponse><params><param><value/></param><param><value/></param></params></methodResponse>"])
def test_what_is_no_answer_is_refused(body):
    with pytest.raises(MalformedMessage):
        read_response(body)


@pytest.mark.parametrize("value", [2**31, -2**31 - 1, float("nan"), float("inf"), None, {1, 2}, Base64(3)])
def test_what_the_wire_cannot_hold_is_not_written(value):
    with pytest.raises(ValueError, match="XML-RPC cannot hold"):
        write_response(value)


def test_characters_that_xml_lacks_are_replaced():
    assert read_response(write_response("a\0b\ud800c\x1b")) == "a\ufffdb\ufffdc\ufffd"
