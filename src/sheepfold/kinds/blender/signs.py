"""The signs of files' names in a project: those of all the world's scripts, but none that hides or feigns a name."""

import unicodedata

_CATEGORIES = {"Cc", "Cs", "Co", "Zl", "Zp"}  # controls, surrogates, private use, which is mapped, and line breaks
_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x2070))))  # whole passages, unlike marks
_NO_SIGNS = range(0xFDD0, 0xFDF0)  # and the last two of each plane: they will never be anything


def odd_sign(name: str) -> str:
    """Return the first sign that no file's name should have, as `U+202E`; nothing where there is none.

    Blanks of any width, joiners, marks of direction and signs younger than this Python's Unicode are in the names of
    real files: screenshots of macOS, Persian, Hindi, emoji.
    """
    if name.isprintable() and "\\" not in name:
        return ""
    return next((f"U+{ord(sign):04X}" for sign in name if _is_odd(sign)), "")


def visible(name: str) -> str:
    """Return a name without the signs that have no shape, such as joiners: macOS's older disks do not tell them."""
    if name.isprintable():
        return name
    return "".join(sign for sign in name if unicodedata.category(sign) != "Cf")


def _is_odd(sign: str) -> bool:
    place = ord(sign)
    is_none = place in _NO_SIGNS or place & 0xFFFE == 0xFFFE
    return sign == "\\" or is_none or sign in _TURNING or unicodedata.category(sign) in _CATEGORIES
