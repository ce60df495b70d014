"""Where pages of lists begin: a place is what a list is ordered by, the falling number first, and a row's id."""

Place = tuple[int, int]

BEYOND = 2**62
"""Above every id and every number that a list falls by."""
FIRST: Place = (BEYOND, 0)
MOST = 10_000
"""How many rows are read where a list is short by nature, such as the browsers of one person."""


def newest_below(before: int | None) -> int:
    """Return below which id a list begins that has the newest first; without one it begins at its head."""
    return BEYOND if before is None else before
