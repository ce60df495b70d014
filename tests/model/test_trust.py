"""Trust: when a machine gets no more work."""

import pytest

from sheepfold.model.tasks import Verdict
from sheepfold.model.trust import INVALID_IN_A_ROW, is_suspended

V, I, P = Verdict.VALID, Verdict.INVALID, Verdict.PENDING


@pytest.mark.parametrize(
    ("newest_first", "suspended"),
    [
        ([], False),
        ([I] * (INVALID_IN_A_ROW - 1), False),
        ([I] * INVALID_IN_A_ROW, True),
        ([I] * INVALID_IN_A_ROW + [V], True),
        ([V] + [I] * INVALID_IN_A_ROW, False),
        ([I] * (INVALID_IN_A_ROW - 1) + [V] + [I] * 9, False),
        ([P, I, P, I, P] + [I] * (INVALID_IN_A_ROW - 2), True),
        ([P] * 20, False),
    ],
)
def test_a_row_of_invalid_results_suspends(newest_first: list[Verdict], suspended: bool):
    assert is_suspended(newest_first) is suspended
