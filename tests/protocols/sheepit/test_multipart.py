"""Bodies in every cut: whatever pieces a body arrives in, the same file comes out."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from sheepfold.model.errors import IncompleteUpload, MalformedMessage, TooLarge
from sheepfold.protocols.sheepit.multipart import OLD_BOUNDARY, Form, Tail, boundary_of, drain, read_form

NEW_BOUNDARY = "fa2ab520-394d-45e6-93e8-84b1efacf9a3"


def request(content_type, pieces, *, is_cut=False):
    """Return a request whose body arrives in pieces; asking for more than there is fails the test."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.disconnect"} if is_cut else {"type": "http.request", "body": b""})

    async def receive():
        assert messages, "nobody asks on after the end of a body"
        return messages.pop(0)

    headers = [(b"content-type", content_type.encode("latin-1"))]
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}, receive)


def form(content, boundary, name="1_0001.png"):
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


def read(asked, limit_bytes=100_000, keep_bytes=100_000):
    tail = Tail(keep_bytes)
    found = asyncio.run(read_form(asked, tail, limit_bytes))
    return found, tail.value()


BOUNDARIES = st.sampled_from([OLD_BOUNDARY, NEW_BOUNDARY])


@given(st.binary(max_size=300), st.lists(st.integers(0, 500), max_size=20), BOUNDARIES)
def test_a_file_comes_out_as_it_went_in_however_its_body_is_cut(content, cuts, boundary):
    body = form(content, boundary)
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    pieces = [body[start:end] for start, end in pairwise(places)]
    assert read(request(f"multipart/form-data;boundary={boundary}", pieces)) == (Form({}, has_file=True), content)


@pytest.mark.parametrize(("content_type", "boundary"), [
    (f"multipart/form-data;boundary={OLD_BOUNDARY}", OLD_BOUNDARY), ('Multipart/Form-Data; BOUNDARY="a b"', "a b"),
    ("multipart/form-data; charset=x; boundary=abc; x=y", "abc"), ("text/plain; boundary=abc", None), ("", None)])
def test_boundaries_are_found_in_every_spelling(content_type, boundary):
    assert boundary_of(request(content_type, [])) == boundary


def test_a_name_is_not_looked_for_inside_the_file_name():
    body = b'--a\r\nContent-Disposition: form-data; filename="x; name=file"; name="other"\r\n\r\n1\r\n--a--\r\n'
    assert read(request("multipart/form-data; boundary=a", [body])) == (Form({"other": "1"}, has_file=False), b"")


def test_a_second_file_is_a_field_and_changes_nothing():
    body = form(b"first", "a").replace(b"--a--", form(b"second", "a"))
    found, content = read(request("multipart/form-data; boundary=a", [body]))
    assert (found.has_file, content) == (True, b"first")


def test_a_body_that_ends_early_is_malformed_and_one_that_is_cut_is_incomplete():
    body = form(b"content", "a")
    with pytest.raises(MalformedMessage):
        read(request("multipart/form-data; boundary=a", [body[:-8]]))
    with pytest.raises(IncompleteUpload):
        read(request("multipart/form-data; boundary=a", [body[:-8]], is_cut=True))


def test_a_refused_body_is_heard_out_and_not_asked_for_beyond_its_end():
    asked = request("multipart/form-data; boundary=a", [b"x" * 100_000] * 5)

    async def refused():
        with pytest.raises((TooLarge, MalformedMessage)):
            await read_form(asked, Tail(1), 1000)
        await drain(asked)
        await drain(asked)

    asyncio.run(refused())


@given(st.lists(st.binary(max_size=20)), st.integers(1, 40))
def test_a_tail_is_the_end_of_all_that_was_written(chunks, keep_bytes):
    tail = Tail(keep_bytes)
    for chunk in chunks:
        tail.write(chunk)
    assert tail.value() == b"".join(chunks)[-keep_bytes:]
