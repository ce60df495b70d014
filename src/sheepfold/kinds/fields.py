"""Reading an order's fields one by one, with sentences on what is wrong that an artist understands."""

from collections.abc import Mapping, Sequence
from typing import Any

from sheepfold.model.errors import InvalidSpec

REQUIRED: Any = object()
_LONGEST, _HEAD = 60, 20


def shown(value: object) -> str:
    """Return a short text of what was found, for a sentence: in quotes, in any script, on one line.

    What does not print, or turns what stands beside it around, is escaped. What is long loses its middle, so that
    paths still differ where they begin or end otherwise.
    """
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_HEAD]}...{text[_HEAD + 3 - _LONGEST:]}"


class Fields:
    """The fields of one order as they came; each is taken once by name, and `end` refuses what nobody took.

    Every method raises InvalidSpec with one sentence on the field.
    """

    def __init__(self, raw: object, kind: str) -> None:
        if not isinstance(raw, Mapping):
            raise InvalidSpec(f"An order of kind {kind} must be an object with named fields, not {shown(raw)}.")
        self._raw: dict[object, object] = dict(raw)
        self._kind = kind
        self._names: list[str] = []

    def whole(self, name: str, low: int, high: int, default: int = REQUIRED) -> int:
        """Take a whole number from `low` to `high`, both allowed."""
        value = self.take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InvalidSpec(f"{name} must be a whole number from {low} to {high}, not {shown(value)}.")
        return value

    def number(self, name: str, above: float, high: float, default: float = REQUIRED) -> float:
        """Take a finite number above `above` and up to `high`; whole numbers stay whole."""
        value = self.take(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= high:
            raise InvalidSpec(f"{name} must be a number above {above:g} and up to {high:g}, not {shown(value)}.")
        return value

    def choice(self, name: str, words: Sequence[str], default: str = REQUIRED) -> str:
        """Take one of a few words, whatever its case."""
        value = self.take(name, default)
        for word in words:
            if isinstance(value, str) and value.casefold() == word.casefold():
                return word
        raise InvalidSpec(f"{name} must be one of {', '.join(map(repr, words))}, not {shown(value)}.")

    def one_of(self, name: str, numbers: Sequence[int], default: int = REQUIRED) -> int:
        """Take one of a few whole numbers."""
        value = self.take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value not in numbers:
            raise InvalidSpec(f"{name} must be one of {', '.join(map(str, numbers))}, not {shown(value)}.")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Take true or false."""
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise InvalidSpec(f"{name} must be true or false, not {shown(value)}.")
        return value

    def text(self, name: str, longest: int, default: str = REQUIRED) -> str:
        """Take a printable text of at most `longest` characters."""
        return checked_text(self.take(name, default), name, longest)

    def take(self, name: str, default: object = REQUIRED) -> object:
        """Take a field as it came, or `default` where it is missing."""
        self._names.append(name)
        value = self._raw.pop(name, default)
        if value is REQUIRED:
            raise InvalidSpec(f"{name} is missing from this order of kind {self._kind}.")
        return value

    def end(self) -> None:
        """Refuse every field that was not taken."""
        for name in self._raw:
            known = ", ".join(self._names)
            raise InvalidSpec(f"An order of kind {self._kind} has no field {shown(name)}; its fields are {known}.")


def checked_text(value: object, name: str, longest: int) -> str:
    """Return `value` if it is a printable text of at most `longest` characters; raises InvalidSpec."""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise InvalidSpec(f"{name} must be a text of at most {longest} printable characters, not {shown(value)}.")
    return value
