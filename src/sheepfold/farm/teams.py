"""Teams: accounts that earn together, join by a link that their leader hands out, and may see each other's secrets."""

import secrets
from dataclasses import dataclass

from sheepfold.farm.accounts import key_verifier
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account, AccountId, Role, checked_name
from sheepfold.model.errors import Conflict, Forbidden, NotFound
from sheepfold.store import accounts as account_rows
from sheepfold.store import people as people_rows
from sheepfold.store import teams as team_rows
from sheepfold.store.database import Tx
from sheepfold.store.paging import Place
from sheepfold.store.teams import Member, Team


@dataclass(frozen=True, slots=True)
class TeamPage:
    """A team and who is in it, who earned most first."""

    team: Team
    members: tuple[Member, ...]


def list_teams(farm: Farm, limit: int, after: Place | None = None) -> list[Team]:
    """Return the teams, those whose members earned most first, from a place on; on a large farm as a while ago."""
    return farm.boards.teams.page(limit, after)


def view_team(farm: Farm, name: str) -> TeamPage:
    """Return a team with its members; raises NotFound."""

    def read(tx: Tx) -> TeamPage:
        team = team_rows.team_named(tx, name)
        return TeamPage(team, tuple(team_rows.members_of(tx, team.id)))

    return farm.db.read(read)


def team_of(farm: Farm, account: Account) -> Team | None:
    """Return the team that an account is in, or None."""
    return farm.db.read(lambda tx: team_rows.team_of(tx, account.id))


def make_team(farm: Farm, account: Account, name: str) -> Team:
    """Make a team that this account leads; raises InvalidName, NameTaken, and Conflict for who is in one already."""
    checked = checked_name(name)

    def make(tx: Tx) -> Team:
        _must_be_free(tx, account)
        people_rows.note(tx, account.name, "made team", checked, farm.now())
        return team_rows.add_team(tx, checked, account.id, farm.now())

    return farm.db.write(make)


def invite(farm: Farm, account: Account, name: str) -> str:
    """Make the code by which whoever has it joins a team; the one before works no more. For the leader, or Forbidden.

    It is shown only now.
    """
    code = secrets.token_urlsafe(15)

    def change(tx: Tx) -> None:
        team = _led(tx, account, name)
        team_rows.change_team(tx, team.id, invitation_hash=key_verifier(code))

    farm.db.write(change)
    return code


def team_behind(farm: Farm, code: str) -> Team:
    """Return the team that an invitation leads to; raises NotFound."""
    return farm.db.read(lambda tx: _invited(tx, code))


def join(farm: Farm, account: Account, code: str) -> Team:
    """Join a team by its invitation; raises NotFound, and Conflict for who is in a team already."""

    def change(tx: Tx) -> Team:
        team = _invited(tx, code)
        _must_be_free(tx, account)
        if not team_rows.add_member(tx, team.id, account.id, farm.now()):
            raise Conflict("You are in a team already.")
        return team_rows.team_named(tx, team.name)

    return farm.db.write(change)


def remove(farm: Farm, by: Account, name: str, member: str) -> None:
    """Take an account out of a team: oneself, or as its leader anybody. Whoever is last takes the team along.

    Raises NotFound, Forbidden, and Conflict for a leader who has not handed the team over.
    """

    def change(tx: Tx) -> None:
        team = team_rows.team_named(tx, name)
        found = _member(tx, team, member)
        if found.account_id != by.id:
            _led(tx, by, name)
        if found.account_id == team.leader_id and team.members > 1:
            raise Conflict(f"Hand {team.name} over first: who leads a team cannot leave it.")
        depart(tx, found.account_id)
        people_rows.note(tx, by.name, f"took {found.name} out of team", team.name, farm.now())

    farm.db.write(change)


def hand_over(farm: Farm, by: Account, name: str, member: str) -> None:
    """Have another member lead a team; the old invitation works no more. Raises NotFound, Forbidden."""

    def change(tx: Tx) -> None:
        team = _led(tx, by, name)
        found = _member(tx, team, member)
        team_rows.change_team(tx, team.id, leader_id=found.account_id, invitation_hash=None)
        people_rows.note(tx, by.name, f"had {found.name} lead team", team.name, farm.now())

    farm.db.write(change)


def depart(tx: Tx, account_id: AccountId) -> None:
    """Take an account out of its team, if it has one; who has been there longest leads it then."""
    team = team_rows.team_of(tx, account_id)
    if team is None:
        return
    team_rows.remove_member(tx, team.id, account_id)
    left = team_rows.members_of(tx, team.id)
    if not left:
        team_rows.drop_team(tx, team.id)
    elif team.leader_id == account_id:
        next_leader = min(left, key=lambda one: (one.joined_at, one.account_id))
        team_rows.change_team(tx, team.id, leader_id=next_leader.account_id, invitation_hash=None)


def _led(tx: Tx, account: Account, name: str) -> Team:
    team = team_rows.team_named(tx, name)
    if team.leader_id != account.id and account.role is not Role.OWNER:
        raise Forbidden(f"{team.leader} leads {team.name}, and may do this.")
    return team


def _member(tx: Tx, team: Team, name: str) -> Member:
    account = account_rows.account_named(tx, name)
    found = next((one for one in team_rows.members_of(tx, team.id) if one.account_id == account.id), None)
    if found is None:
        raise NotFound(f"{name} is not in {team.name}.")
    return found


def _invited(tx: Tx, code: str) -> Team:
    team = team_rows.team_invited_by(tx, key_verifier(code.strip()))
    if team is None:
        raise NotFound("This invitation leads to no team: another one was made, or it was mistyped.")
    return team


def _must_be_free(tx: Tx, account: Account) -> None:
    team = team_rows.team_of(tx, account.id)
    if team is not None:
        raise Conflict(f"You are in the team {team.name}; leave it first.")
