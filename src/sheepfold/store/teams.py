"""Rows of teams: who leads one, who is in it, what its members earned, and which private jobs it sees."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, text, update

from sheepfold.model.accounts import AccountId
from sheepfold.model.credit import Millipoints
from sheepfold.model.errors import NameTaken, NotFound
from sheepfold.model.jobs import JobId
from sheepfold.store import schema
from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class Team:
    """A team, with how many are in it and what they have earned together."""

    id: int
    name: str
    leader_id: AccountId
    leader: str
    created_at: int
    members: int
    earned: Millipoints


@dataclass(frozen=True, slots=True)
class Member:
    """An account of a team, and what it has earned."""

    account_id: AccountId
    name: str
    joined_at: int
    earned: Millipoints


# by ix_members_team_id and the covering index ix_ledger_account_id_millipoints
_TEAM = """
    SELECT t.id, t.name, t.leader_id, a.name AS leader, t.created_at,
           (SELECT count(*) FROM members m WHERE m.team_id = t.id) AS members,
           (SELECT coalesce(sum(l.millipoints), 0) FROM members m JOIN ledger l ON l.account_id = m.account_id
            WHERE m.team_id = t.id) AS earned
    FROM teams t JOIN accounts a ON a.id = t.leader_id
"""
_TEAMS = text(_TEAM + " ORDER BY earned DESC, t.id")
_NAMED = text(_TEAM + " WHERE t.name = :name")
_INVITED = text(_TEAM + " WHERE t.invitation_hash = :invitation_hash")
_OF_ACCOUNT = text(_TEAM + " JOIN members mine ON mine.team_id = t.id WHERE mine.account_id = :account_id")
_MEMBERS = text("""
    SELECT a.id, a.name, m.joined_at,
           (SELECT coalesce(sum(l.millipoints), 0) FROM ledger l WHERE l.account_id = a.id) AS earned
    FROM members m JOIN accounts a ON a.id = m.account_id WHERE m.team_id = :team_id
    ORDER BY earned DESC, m.joined_at, a.id
""")
_JOIN = text("INSERT INTO members (account_id, team_id, joined_at) VALUES (:account_id, :team_id, :now)"
             " ON CONFLICT (account_id) DO NOTHING")
_SHOW = text("INSERT INTO team_jobs (job_id, team_id) VALUES (:job_id, :team_id)"
             " ON CONFLICT (job_id) DO UPDATE SET team_id = excluded.team_id")
# by ix_team_jobs_team_id, then pk_jobs
_TAKE_AWAY = text("DELETE FROM team_jobs WHERE team_id = :team_id"
                  " AND job_id IN (SELECT id FROM jobs WHERE account_id = :account_id)")
_SEEING = text("SELECT t.name FROM team_jobs j JOIN teams t ON t.id = j.team_id WHERE j.job_id = :job_id")


def add_team(tx: Tx, name: str, leader_id: AccountId, now: int) -> Team:
    """Add a team of its leader alone; raises NameTaken."""
    if tx.execute(_NAMED, {"name": name}).first() is not None:
        raise NameTaken(f"There is a team {name!r} already.")
    row = {"name": name, "leader_id": leader_id, "created_at": now}
    team_id = tx.execute(insert(schema.teams).values(row).returning(schema.teams.c.id)).scalar_one()
    add_member(tx, team_id, leader_id, now)
    return team_named(tx, name)


def list_teams(tx: Tx) -> list[Team]:
    """Return the teams, those whose members earned most first; sums what they earned row by row."""
    return [_team(row) for row in tx.execute(_TEAMS)]


def team_named(tx: Tx, name: str) -> Team:
    """Return the team of a name; raises NotFound."""
    row = tx.execute(_NAMED, {"name": name}).one_or_none()
    if row is None:
        raise NotFound(f"There is no team {name!r}.")
    return _team(row)


def team_of(tx: Tx, account_id: AccountId) -> Team | None:
    """Return the team that an account is in, or None; by pk_members."""
    row = tx.execute(_OF_ACCOUNT, {"account_id": account_id}).one_or_none()
    return None if row is None else _team(row)


def team_invited_by(tx: Tx, invitation_hash: str) -> Team | None:
    """Return the team that an invitation leads to, or None; by uq_teams_invitation_hash."""
    row = tx.execute(_INVITED, {"invitation_hash": invitation_hash}).one_or_none()
    return None if row is None else _team(row)


def members_of(tx: Tx, team_id: int) -> list[Member]:
    """Return who is in a team, who earned most first."""
    return [Member(AccountId(row.id), row.name, row.joined_at, Millipoints(int(row.earned)))
            for row in tx.execute(_MEMBERS, {"team_id": team_id})]


def add_member(tx: Tx, team_id: int, account_id: AccountId, now: int) -> bool:
    """Put an account into a team; False where it is in one already."""
    return tx.execute(_JOIN, {"account_id": account_id, "team_id": team_id, "now": now}).rowcount > 0


def remove_member(tx: Tx, team_id: int, account_id: AccountId) -> None:
    """Take an account out of a team, with the private jobs that it showed there."""
    tx.execute(_TAKE_AWAY, {"team_id": team_id, "account_id": account_id})
    members = schema.members.c
    tx.execute(delete(schema.members).where(members.account_id == account_id, members.team_id == team_id))


def change_team(tx: Tx, team_id: int, **values: Any) -> None:  # noqa: ANN401 -- columns of `teams`
    """Change a team: its leader_id, or its invitation_hash."""
    tx.execute(update(schema.teams).where(schema.teams.c.id == team_id).values(**values))


def drop_team(tx: Tx, team_id: int) -> None:
    """Drop a team that nobody is in any more."""
    tx.execute(delete(schema.team_jobs).where(schema.team_jobs.c.team_id == team_id))
    tx.execute(delete(schema.teams).where(schema.teams.c.id == team_id))


def show_job(tx: Tx, job_id: JobId, team_id: int) -> None:
    """Show a job to a team."""
    tx.execute(_SHOW, {"job_id": job_id, "team_id": team_id})


def hide_job(tx: Tx, job_id: JobId) -> None:
    """Show a job to no team any more."""
    tx.execute(delete(schema.team_jobs).where(schema.team_jobs.c.job_id == job_id))


def team_seeing(tx: Tx, job_id: JobId) -> str:
    """Return the name of the team that a job is shown to, empty for none."""
    return tx.execute(_SEEING, {"job_id": job_id}).scalar_one_or_none() or ""


def seen_in_team(account_id: AccountId) -> Select[int]:
    """Select the ids of jobs that an account sees since its team does: those of accounts that are in it, too."""
    shown, jobs = schema.team_jobs, schema.jobs
    mine, theirs = schema.members.alias("mine"), schema.members.alias("theirs")
    return (
        select(shown.c.job_id)
        .join(mine, mine.c.team_id == shown.c.team_id)
        .join(jobs, jobs.c.id == shown.c.job_id)
        .join(theirs, (theirs.c.account_id == jobs.c.account_id) & (theirs.c.team_id == shown.c.team_id))
        .where(mine.c.account_id == account_id)
    )


def seen_among(tx: Tx, job_ids: Iterable[JobId], account_id: AccountId) -> set[JobId]:
    """Return which of these jobs an account sees since its team does."""
    query = seen_in_team(account_id).where(schema.team_jobs.c.job_id.in_(list(job_ids)))
    return {JobId(row.job_id) for row in tx.execute(query)}


def _team(row: Row[Any]) -> Team:
    return Team(row.id, row.name, AccountId(row.leader_id), row.leader, row.created_at, row.members,
                Millipoints(int(row.earned)))
