"""Which tests break which invariant of the check-up, and what each of them must find then."""

import functools
from collections.abc import Callable, Iterable

from sheepfold.store.findings import Finding

BROKEN: set[str] = set()
"""What is broken by tests, each for real, that say so by `breaks`."""
Broken = Iterable[Finding]


def breaks(invariant: str) -> Callable[[Callable[..., Broken]], Callable[..., None]]:
    """Have a test break an invariant: among the findings that it returns must be that one, and what to do about it."""
    BROKEN.add(invariant)

    def held(test: Callable[..., Broken]) -> Callable[..., None]:
        @functools.wraps(test)
        def holds(*args: object, **kwargs: object) -> None:
            found = list(test(*args, **kwargs))
            assert [one for one in found if one.invariant == invariant], found
            assert all(one.remedy for one in found)

        return holds

    return held
