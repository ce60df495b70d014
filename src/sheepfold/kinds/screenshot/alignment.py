"""Which row of a later screenshot shows which row of an earlier one, when a page grew or shrank in the middle.

Rows that occur once in both pictures are anchors, as in Bram Cohen's patience diff; what lies between two anchors is
matched from its ends, and the rest row by row. Rows are compared by a digest, so that a tall page costs milliseconds.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

NEW = -1
"""In the place of an earlier row: there is none."""


def align(earlier: Sequence[Hashable], later: Sequence[Hashable]) -> list[int]:
    """Return for each row of `later` the row of `earlier` that it continues, in rising order, or NEW."""
    found = [NEW] * len(later)
    for row, other in _matches(earlier, later):
        found[other] = row
    return found


def _matches(earlier: Sequence[Hashable], later: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    row = other = 0
    for anchor, its_match in [*_anchors(earlier, later), (len(earlier), len(later))]:
        yield from _matches_between(earlier, later, (row, anchor), (other, its_match))
        if anchor < len(earlier):
            yield anchor, its_match
        row, other = anchor + 1, its_match + 1


def _anchors(earlier: Sequence[Hashable], later: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return the longest rising run of rows that occur once in each picture."""
    counts, other_counts = Counter(earlier), Counter(later)
    places = {digest: row for row, digest in enumerate(earlier) if counts[digest] == 1}
    pairs = [(places[digest], other) for other, digest in enumerate(later)
             if digest in places and other_counts[digest] == 1]  # fmt: skip
    lasts: list[int] = []  # of the best run of each length, the row that it ends with
    runs: list[tuple[tuple[int, int], int]] = []  # a pair, and the index of the one before it in its run
    tops: list[int] = []
    for pair in pairs:
        length = bisect_left(lasts, pair[0])
        lasts[length : length + 1] = [pair[0]]
        tops[length : length + 1] = [len(runs)]
        runs.append((pair, tops[length - 1] if length else NEW))
    return _walked_back(runs, tops[-1] if tops else NEW)


def _walked_back(runs: Sequence[tuple[tuple[int, int], int]], at: int) -> list[tuple[int, int]]:
    walked = []
    while at != NEW:
        pair, at = runs[at]
        walked.append(pair)
    return walked[::-1]


def _matches_between(
    earlier: Sequence[Hashable], later: Sequence[Hashable], rows: tuple[int, int], others: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Match two stretches without anchors: equal rows from above, equal rows from below, the rest side by side."""
    (row, end), (other, other_end) = rows, others
    while row < end and other < other_end and earlier[row] == later[other]:
        yield row, other
        row, other = row + 1, other + 1
    while row < end and other < other_end and earlier[end - 1] == later[other_end - 1]:
        end, other_end = end - 1, other_end - 1
        yield end, other_end
    yield from zip(range(row, end), range(other, other_end), strict=False)
