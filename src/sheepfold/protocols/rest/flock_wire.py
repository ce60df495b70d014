"""The part of the REST wire that tells of one sheep: its votes and its kin."""

from sheepfold.protocols.rest.wire import Count, SheepOut, Told


class SheepPage(Told):
    """A sheep with the votes on it, its parents and children, and the edges that leave it and come to it."""

    sheep: SheepOut
    liked: Count
    disliked: Count
    retired_at: int | None = None
    parents: list[SheepOut]
    children: list[SheepOut]
    leaving: list[SheepOut]
    coming: list[SheepOut]
