"""What a real screenshot factory sent, and what it was answered, goes through the wire unharmed."""

import pytest

from sheepfold.protocols.browsershots.wire import (
    Algorithm,
    Challenge,
    ChallengeAnswer,
    Fault,
    KnownFault,
    Poll,
    PollAnswer,
    Redirect,
    Upload,
    Verify,
    decode_call,
    encode_call,
    is_encrypted_with,
    read_call,
    read_response,
    write_fault,
    write_response,
    write_upload,
)

INNER = "fb6565caf387334f80c756dc4c89fa0b245c62b9"  # of a5481 and secret99


@pytest.mark.parametrize("number", [1, 3, 5, 7, 9])
def test_a_challenge_is_read_and_answered_as_recorded(exchange, number):
    seen = exchange(number)
    assert decode_call(read_call(seen.body)) == Challenge("argo")
    answer = ChallengeAnswer.from_value(read_response(seen.answer))
    assert (answer.algorithm, answer.salt, len(answer.nonce)) == (Algorithm.SHA1, "a5481", 32)
    assert write_response(answer.to_value()).strip() == seen.answer.strip()


@pytest.mark.parametrize(("number", "challenge"), [(2, 1), (4, 3), (8, 7), (10, 9)])
def test_the_factory_proves_its_password_with_the_nonce_before(exchange, number, challenge):
    request = decode_call(read_call(exchange(number).body, sink=bytearray().extend))
    assert isinstance(request, Verify | Poll | Upload)
    nonce = ChallengeAnswer.from_value(read_response(exchange(challenge).answer)).nonce
    assert is_encrypted_with(request.encrypted, INNER, nonce)
    assert not is_encrypted_with(request.encrypted.upper(), INNER, nonce)


@pytest.mark.parametrize("number", [1, 2, 4, 10])
def test_our_client_writes_calls_as_the_real_one_did(exchange, number):
    seen = exchange(number)
    assert encode_call(decode_call(read_call(seen.body))).strip() == seen.body.strip()


def test_a_verified_password_is_true(exchange):
    seen = exchange(2)
    assert read_response(seen.answer) is True
    assert write_response(True).strip() == seen.answer.strip()


def test_a_request_has_all_twelve_keys(exchange):
    seen = exchange(4)
    answer = PollAnswer.from_value(read_response(seen.answer))
    assert answer == PollAnswer(101, "Firefox", "3.0", 3, 0, "fakefox", 1024, 768, 24)
    assert write_response(answer.to_value()).strip() == seen.answer.strip()


def test_the_browser_was_sent_to_the_redirect(exchange, started_address):
    seen = exchange(6)
    redirect = Redirect.decode(seen.path)
    assert redirect == Redirect("argo", "41e393cb4695a775a9704d79a2157443", 101)
    assert redirect.encode() == seen.path
    assert started_address.endswith(redirect.encode())
    nonce = ChallengeAnswer.from_value(read_response(exchange(5).answer)).nonce
    assert is_encrypted_with(redirect.encrypted, INNER, nonce)


def test_an_uploads_picture_goes_to_the_sink(exchange):
    seen, picture = exchange(8), bytearray()
    upload = decode_call(read_call(seen.body, sink=picture.extend))
    assert isinstance(upload, Upload)
    assert (upload.factory, upload.request, upload.screenshot.size_bytes) == ("argo", 101, len(picture))
    assert picture.startswith(b"\x89PNG\r\n")
    assert picture.endswith(b"IEND\xaeB`\x82")


def test_our_client_writes_an_upload_as_the_real_one_did(exchange):
    seen, picture = exchange(8), bytearray()
    upload = decode_call(read_call(seen.body, sink=picture.extend))
    assert isinstance(upload, Upload)
    assert b"".join(write_upload(upload, [picture])).strip() == seen.body.strip()


def test_an_upload_is_answered_with_its_hashkey(exchange):
    assert read_response(exchange(8).answer) == "0d89e3352a568efcd173949b15040527"


def test_nothing_to_do_is_a_fault(exchange):
    seen = exchange(10)
    with pytest.raises(Fault) as caught:
        read_response(seen.answer)
    assert (caught.value.code, caught.value.message) == (204, "No matching request.")
    assert write_fault(KnownFault.NO_REQUEST.fault()).strip() == seen.answer.strip()
