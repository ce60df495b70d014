"""Trust: when a machine that sends bad pictures gets no more work."""

from collections.abc import Iterable

from sheepfold.model.tasks import Verdict

INVALID_IN_A_ROW = 5
"""SheepIt's clients park for good on status 203, so it is given for nothing less (protocol note, section 11.15)."""
UNPROVEN_SUSPENSION_S = 3600
"""How long a machine is suspended on a wire where anybody may send in its name: then it is tried again."""


def is_suspended(newest_first: Iterable[Verdict]) -> bool:
    """Say whether a machine's newest verdicts suspend it; pending ones count neither way."""
    in_a_row = 0
    for verdict in newest_first:
        if verdict is Verdict.VALID:
            return False
        in_a_row += verdict is Verdict.INVALID
        if in_a_row >= INVALID_IN_A_ROW:
            return True
    return False
