"""The part of the REST wire that tells of teams: what is asked of them, and what is told."""

from typing import Annotated, ClassVar

from pydantic import Field

from sheepfold.protocols.rest.wire import Asked, Count, Told, Word


class TeamMade(Asked):
    """A team to make, by its name: a letter, then letters, digits, `-` and `_`, 48 at most."""

    name: Word


class TeamJoined(Asked):
    """The code of an invitation: what stands behind the last slash of its link."""

    invitation: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9_-]+$")]


class TeamHandedOver(Asked):
    """Which member leads the team from now on."""

    leader: Word


class TeamOut(Told):
    """A team, its leader, how many are in it, and the millipoints that they have earned."""

    name: str
    leader: str
    members: Count
    earned: Count
    created_at: int


class MemberOut(Told):
    """A member of a team, with the millipoints that they have earned."""

    name: str
    earned: Count
    joined_at: int


class TeamPage(TeamOut):
    """A team with its members, who earned most first."""

    roll: list[MemberOut]


class TeamList(Told):
    """Teams, those whose members earned most first; `next` is the `after` of the following page, absent on the last."""

    turn: ClassVar[str] = "after"
    teams: list[TeamOut]
    next: str | None = None

    @property
    def rows(self) -> list[TeamOut]:
        """Return the teams."""
        return self.teams


class TeamInvitation(Told):
    """An invitation's code and its link; both work until another is made."""

    code: str
    link: str


class TeamSeeing(Told):
    """The team that sees a private job, null for none."""

    team: str | None
