"""Named requests: one that is sent again under its name does nothing more, and gets the answer that was lost.

An answer may hold a secret that is told once. It is sealed with a key made of the name and of the secret by which its
caller was let in, neither of which is kept: the database alone gives nothing away.
"""

import hashlib
import secrets
from functools import partial

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sheepfold.farm.farm import Farm
from sheepfold.model.errors import Conflict, InvalidSpec
from sheepfold.store import kept_answers

NONCE_BYTES = 12
"""What AES-GCM takes (NIST SP 800-38D, 5.2.1.1)."""


class Naming:
    """A request under the name that its caller chose; `fingerprint` is a digest of all that it says."""

    def __init__(self, farm: Farm, secret: str, name: str, fingerprint: str) -> None:
        self._farm = farm
        self._fingerprint = fingerprint
        self._name_hash = _digest("name", secret, name).hex()
        self._seal = AESGCM(_digest("seal", secret, name))
        self._mark = secrets.token_bytes(kept_answers.MARK_BYTES)

    def begin(self) -> bytes | None:
        """Note that the request is being done; returns the answer of one that was done before, None for a new one.

        May be called again after PerhapsDone: what was noted is found by its mark. Raises InvalidSpec where the name
        was given to another request, and Conflict where the same one is under way, or was when its server ended.
        """
        begin = partial(kept_answers.begin, name_hash=self._name_hash, fingerprint=self._fingerprint, mark=self._mark,
                        now=self._farm.now())
        known = self._farm.db.write(begin)
        if known is None:
            return None
        if known.fingerprint != self._fingerprint:
            raise InvalidSpec("This key was given to another request before; a new request wants a new key.")
        if known.sealed is None:
            raise Conflict("This request is under way, or the farm broke off in it: see whether it was done.")
        try:
            return self._seal.decrypt(known.sealed[:NONCE_BYTES], known.sealed[NONCE_BYTES:], None)
        except InvalidTag as error:
            raise Conflict("The answer to this request cannot be read any more.") from error

    def keep(self, answer: bytes) -> None:
        """Keep the answer to the request, which was done."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._seal.encrypt(nonce, answer, None)
        self._farm.db.write(lambda tx: kept_answers.keep(tx, self._name_hash, sealed))

    def drop(self) -> None:
        """Forget the request, which was not done."""
        self._farm.db.write(lambda tx: kept_answers.drop(tx, self._name_hash))


def _digest(end: str, secret: str, name: str) -> bytes:
    return hashlib.sha256(f"{end}\0{secret}\0{name}".encode()).digest()
