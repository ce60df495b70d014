"""Typed calls: each survives its way, and what does not fit is refused with the farm's own errors."""

from contextlib import suppress
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.model.errors import BadInput, MissingParameter, NotFound, SheepfoldError
from sheepfold.protocols.browsershots import calls
from sheepfold.protocols.browsershots.methods import METHODS, decode_call
from sheepfold.protocols.browsershots.xmlrpc import Base64, MethodCall, read_call

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=20)
numbers = st.integers(0, 2**31 - 1)
inner = st.builds(
    MethodCall, texts.filter(lambda name: name != "system.multicall"), st.lists(texts, max_size=2).map(tuple))
FIELDS = {
    "request": numbers, "group": numbers, "browsers": st.lists(texts, max_size=3).map(tuple),
    "calls": st.lists(inner, max_size=3).map(tuple)}
small = [row.request for row in METHODS.values() if row.request is not calls.Upload]
requests = st.sampled_from(small).flatmap(
    lambda kind: st.builds(kind, *(FIELDS.get(name, texts) for name in [field.name for field in fields(kind)])))


@given(requests)
def test_a_request_survives_its_way(request):
    assert decode_call(read_call(calls.encode_call(request))) == request


@given(texts, texts, numbers, st.lists(st.binary(max_size=100), max_size=4))
def test_an_upload_survives_its_way(factory, encrypted, number, pieces):
    upload, got = calls.Upload(factory, encrypted, number, Base64(sum(map(len, pieces)))), bytearray()
    body = b"".join(calls.write_upload(upload, pieces))
    assert decode_call(read_call(body, got.extend)) == upload
    assert got == b"".join(pieces)
    assert len(body) == calls.size_of_upload(upload)


PARAMS = st.lists(st.one_of(texts, st.integers(), st.booleans(), st.floats(), st.lists(texts, max_size=2), st.builds(
    Base64, numbers), st.dictionaries(texts, texts, max_size=2)), max_size=5).map(tuple)


@given(st.sampled_from(sorted(METHODS)) | texts, PARAMS)
def test_calls_of_any_kind_raise_the_farms_errors_only(method, params):
    with suppress(SheepfoldError):
        assert decode_call(MethodCall(method, params)).method == method


def test_an_unknown_method_is_refused_in_the_old_words():
    with pytest.raises(NotFound, match='method "factories\\.add" is not supported'):
        decode_call(MethodCall("factories.add"))


@pytest.mark.parametrize("params", [(), ("argo",), ("argo", "x", "y")])
def test_a_wrong_number_of_parameters_is_told(params):
    with pytest.raises(MissingParameter, match=f"found {len(params)} parameters"):
        decode_call(MethodCall("requests.poll", params))


@pytest.mark.parametrize(("method", "params"), [
    ("nonces.challenge", (7,)), ("nonces.verify", ("argo", True)), ("requests.status", ("x",)),
    ("requests.status", (True,)),
    ("screenshots.upload", ("argo", "x", 1, "not base64")), ("screenshots.upload", ("argo", "x", "²", Base64(1))),
    ("requests.submit", ("u", "x", "http://h/", "linux_firefox_2_0")),
    ("requests.submit", ("u", "x", "http://h/", [1])),
    ("system.multicall", ([{"methodName": "m"}],)), ("system.multicall", ({},)),
    ("system.multicall", ([{"methodName": "system.multicall", "params": [[]]}],)),
    ("system.multicall", ([{"methodName": "m", "params": []}] * 101,))])
def test_a_wrong_type_is_told(method, params):
    with pytest.raises(BadInput, match="must"):
        decode_call(MethodCall(method, params))


def test_a_requests_number_may_be_a_string():
    upload = decode_call(MethodCall("screenshots.upload", ("argo", "x", "101", Base64(3))))
    assert upload == calls.Upload("argo", "x", 101, Base64(3))
