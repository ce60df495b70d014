"""How long to wait before asking a farm again."""

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 120.0
LONGEST_WISH_S = 3600


def backoff_s(attempt: int, retry_after_s: int | None, chance: float) -> float:
    """Return the seconds to wait after the `attempt`-th vain try, the first being 1; `chance` is from 0 to 1.

    The pause doubles up to two minutes and is cut by chance to at least its half, so that a flock which lost its farm
    does not come back as one. Never shorter than the farm's own wish, up to an hour, which chance makes longer by up
    to a quarter.
    """
    grown = min(FIRST_PAUSE_S * 2.0 ** (min(attempt, 20) - 1), LONGEST_PAUSE_S)
    wished = min(max(retry_after_s or 0, 0), LONGEST_WISH_S)
    return max(grown * (1 + chance) / 2, wished * (1 + chance / 4))
