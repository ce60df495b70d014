"""How a Browsershots client proves its password: a digest kept by the server, hashed once more with a one-shot nonce.

Source: the protocol note, section 1.5. Whoever has the inner digest can log in, and SHA-1 is quick to search: so it may
only be kept of random machine keys.
"""

import hashlib
import hmac
from enum import StrEnum


class Algorithm(StrEnum):
    """The hashes that old clients know."""

    SHA1 = "sha1"
    MD5 = "md5"


SCHEMES = {Algorithm.SHA1: "browsershots-sha1", Algorithm.MD5: "browsershots-md5"}


def salt_for(algorithm: Algorithm, account_name: str) -> str:
    """Return what is put before an account's keys: five hex digits as the old server had, none for its oldest hash."""
    if algorithm is Algorithm.MD5:
        return ""
    return hashlib.sha1(account_name.encode(), usedforsecurity=False).hexdigest()[:5]


def key_verifiers(key: str, account_name: str) -> list[tuple[str, str]]:
    """Return what is kept of a machine key, for factories that give it as their password."""
    return [(scheme, inner_digest(algorithm, salt_for(algorithm, account_name), key))
            for algorithm, scheme in SCHEMES.items()]


def inner_digest(algorithm: Algorithm, salt: str, password: str) -> str:
    """Return the digest that the server keeps: of salt and password in UTF-8, in small hexadecimal letters."""
    return hashlib.new(algorithm, (salt + password).encode(), usedforsecurity=False).hexdigest()


def encrypt(inner: str, nonce: str) -> str:
    """Return the encrypted password that a client sends: 32 small hexadecimal letters."""
    return hashlib.md5((inner + nonce).encode(), usedforsecurity=False).hexdigest()


def is_encrypted_with(encrypted: str, inner: str, nonce: str) -> bool:
    """Say whether a client's encrypted password was made from this digest and nonce, in time that tells nothing."""
    return hmac.compare_digest(encrypted.encode("utf-8", "replace"), encrypt(inner, nonce).encode())
