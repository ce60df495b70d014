"""Who asks on the Electric Sheep wire: nicks, password hashes, Basic headers, versions and UIDs."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from sheepfold.model.errors import MalformedMessage
from sheepfold.protocols.electricsheep.envelope import percent, printable, required

# What an anonymous client sends as its password hash: the MD5 of nothing (protocol note 1.1, observed).
ANONYMOUS_HASH = hashlib.md5(b"", usedforsecurity=False).hexdigest().upper()
SALT = "sh33p"
SCHEME = "electricsheep"
MAX_NICK_CHARACTERS = 128
_UID = re.compile(r"[0-9A-Fa-f]{1,32}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A nick and the MD5 of a password, as they come in an Authorization header."""

    nick: str
    password_hash: str


def own_password_hash(password: str, nick: str) -> str:
    """Hash a password as the real clients do: the salt in the middle, whatever the seed says (protocol note 1.1)."""
    return _md5(password + SALT + nick)


def password_verifiers(password: str, nick: str) -> tuple[str, str, str]:
    """Return every hash a client may send for a password: the seed's order, the clients' order, an old bare one."""
    return _md5(password + nick + SALT), own_password_hash(password, nick), _md5(password)


def key_verifiers(key: str, account_name: str) -> list[tuple[str, str]]:
    """Return what clients may send for a machine key that was typed in as the password of an account's nick.

    The nick is part of what they hash, letter by letter: it is foreseen as the farm writes it, with a capital, and all
    in capitals.
    """
    nicks = dict.fromkeys((account_name, account_name.capitalize(), account_name.upper()))
    found = dict.fromkeys(verifier for nick in nicks for verifier in password_verifiers(key, nick))
    return [(SCHEME, verifier) for verifier in found]


def decode_basic(header: str | None) -> Credentials | None:
    """Read an Authorization header; None when there is none, or none that makes sense.

    Clients 2.7b29 to 2.7b36 percent-encode both parts, 3.0 and later send them raw (protocol note 1.0): text that holds
    only letters, digits and %XX is taken for encoded.
    """
    scheme, _, token = (header or "").partition(" ")
    if scheme.casefold() != "basic" or len(token) > 1024:
        return None
    try:
        plain = base64.b64decode(token.strip(), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
    nick, colon, password_hash = plain.rpartition(":")
    if not colon:
        return None
    return Credentials(clean_nick(_unescaped(nick)), clean_hash(_unescaped(password_hash)))


def encode_basic(credentials: Credentials) -> str:
    """Write an Authorization header as 3.0 does, raw, save where a raw nick would be taken for an encoded one."""
    is_plain = _unescaped(credentials.nick) == credentials.nick
    nick = credentials.nick if is_plain else percent(credentials.nick)
    return "Basic " + base64.b64encode(f"{nick}:{credentials.password_hash}".encode()).decode()


def clean_nick(text: str) -> str:
    """Return a nick without control characters, at most 128 characters long."""
    return printable(text, MAX_NICK_CHARACTERS)


def clean_hash(text: str) -> str:
    """Return a password hash in upper case; anything but 32 hex digits is what an anonymous client sends."""
    return text.upper() if re.fullmatch(r"[0-9A-Fa-f]{32}", text) else ANONYMOUS_HASH


def clean_version(text: str) -> str:
    """Keep what a version holds, such as LNX_2.7b12: it goes raw into the clients' URLs."""
    return re.sub(r"[^A-Za-z0-9_.-]", "", text)[:40]


def clean_uid(text: str) -> str:
    """Return a UID in upper case, or nothing where it is none."""
    return text.upper() if _UID.fullmatch(text) else ""


def required_uid(fields: Mapping[str, str], name: str = "u") -> str:
    """Return a UID; raises MissingParameter, and MalformedMessage for anything but 1 to 32 hex digits."""
    uid = clean_uid(required(fields, name))
    if not uid:
        raise MalformedMessage(f"A UID has 1 to 32 hex digits, unlike {fields[name][:40]!r}.")
    return uid


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest().upper()


def _unescaped(text: str) -> str:
    is_encoded = re.fullmatch(r"(?:[A-Za-z0-9]|%[0-9A-F]{2})*", text)
    return unquote(text, errors="replace") if is_encoded else text
