"""Trust: when a machine gets no more work."""

import pytest

from sheepfold.model.tasks import Verdict
from sheepfold.model.trust import INVALID_IN_A_ROW, is_suspended

GOOD, BAD, OPEN = Verdict.VALID, Verdict.INVALID, Verdict.PENDING


@pytest.mark.parametrize(
    ("newest_first", "suspended"),
    [
        ([], False),
        ([BAD] * (INVALID_IN_A_ROW - 1), False),
        ([BAD] * INVALID_IN_A_ROW, True),
        ([BAD] * INVALID_IN_A_ROW + [GOOD], True),
        ([GOOD] + [BAD] * INVALID_IN_A_ROW, False),
        ([BAD] * (INVALID_IN_A_ROW - 1) + [GOOD] + [BAD] * 9, False),
        ([OPEN, BAD, OPEN, BAD, OPEN] + [BAD] * (INVALID_IN_A_ROW - 2), True),
        ([OPEN] * 20, False),
    ],
)
def test_a_row_of_invalid_results_suspends(newest_first: list[Verdict], suspended: bool):
    assert is_suspended(newest_first) is suspended
