"""The arithmetic of passwords, against what the real client computed."""

import pytest

from sheepfold.protocols.browsershots.credentials import Algorithm, encrypt, inner_digest, is_encrypted_with

NONCE = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(("algorithm", "salt", "password", "nonce", "encrypted"), [
    (Algorithm.SHA1, "a5481", "secret99", NONCE, "7a05988839f64e71479356279cc9777e"),
    (Algorithm.MD5, "", "secret99", NONCE, "8d80121b0706e670a317badd8c78a12c"),
    (Algorithm.SHA1, "x1", "päss", "f" * 32, "1b3d273fd61c54cf0ac356775c32a37e"),
    (Algorithm.SHA1, "a5481", "secret99", "4e8df5d5d89daef686f6e1604267b4f8", "fe773e1a1cac3405ded1ae888c5f333a")])
def test_a_password_is_encrypted_as_the_real_client_does(algorithm, salt, password, nonce, encrypted):
    inner = inner_digest(algorithm, salt, password)
    assert encrypt(inner, nonce) == encrypted
    assert is_encrypted_with(encrypted, inner, nonce)


def test_the_inner_digest_is_that_of_salt_and_password():
    assert inner_digest(Algorithm.SHA1, "a5481", "secret99") == "fb6565caf387334f80c756dc4c89fa0b245c62b9"


@pytest.mark.parametrize("change", [
    str.upper, lambda text: text[:-1], lambda _: "", lambda text: text + "\0", lambda _: "ü\ud800"])
def test_nothing_else_is_taken_for_it(change):
    inner = inner_digest(Algorithm.SHA1, "a5481", "secret99")
    assert not is_encrypted_with(change(encrypt(inner, NONCE)), inner, NONCE)
    assert not is_encrypted_with(encrypt(inner, NONCE), inner, NONCE[::-1])
