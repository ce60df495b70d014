"""Privacy: what the farm knows of a person, for that person alone; keys taken back; and being forgotten."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sheepfold.farm import accounts
from sheepfold.farm.farm import Farm
from sheepfold.farm.owner import close
from sheepfold.model.accounts import Account
from sheepfold.model.errors import NotFound
from sheepfold.store import jobs as job_rows
from sheepfold.store import people as people_rows
from sheepfold.store import teams as team_rows
from sheepfold.store import views as view_rows
from sheepfold.store import webhooks as hook_rows
from sheepfold.store.database import Tx
from sheepfold.store.paging import MOST
from sheepfold.store.people import KeyRow

MOST_JOBS = 100_000


def list_keys(farm: Farm, account: Account, limit: int = MOST, before: int | None = None) -> list[KeyRow]:
    """Return the living keys of an account's machines, the newest first: what opens the farm to its programs."""
    return farm.db.read(lambda tx: people_rows.keys_of(tx, account.id, limit, before))


def revoke_key(farm: Farm, account: Account, key_id: int) -> None:
    """Revoke one key of an account's machines; raises NotFound."""

    def revoke(tx: Tx) -> None:
        if not people_rows.revoke_key(tx, account.id, key_id, farm.now()):
            raise NotFound("There is no such key that still opens anything.")
        people_rows.note(tx, account.name, "revoked a key", str(key_id), farm.now())

    farm.db.write(revoke)


def export_person(farm: Farm, account: Account) -> Mapping[str, Any]:
    """Return all that the farm keeps of a person, as plain values; no secret is among it, since it keeps none."""

    def read(tx: Tx) -> dict[str, Any]:
        person, team = people_rows.person_of(tx, account.id), team_rows.team_of(tx, account.id)
        return {
            "account": {"name": account.name, "role": str(account.role), "created_at": person.created_at},
            "team": None if team is None else team.name,
            "email": {"address": person.email, "is_proven": person.is_verified},
            "millipoints": {"earned": person.purse.earned, "spent": person.purse.spent},
            "browsers_signed_in": [asdict(one) for one in people_rows.sessions_of(tx, account.id)],
            "machines": [asdict(one) for one in view_rows.machines_of(tx, account.id)],
            "webhooks": [{"url": one.url, "form": one.form, "reach": one.reach, "topics": one.topics}
                         for one in hook_rows.hooks_of(tx, account.id)],
            "keys": [asdict(one) for one in people_rows.keys_of(tx, account.id)],
            "jobs": [
                {"id": job.id, "kind": job.kind, "title": job.title, "spec": dict(job.spec), "state": str(job.state),
                 "created_at": job.created_at, "ended_at": job.ended_at}
                for job in job_rows.list_jobs(tx, MOST_JOBS, None, account.id)
            ],
        }

    return farm.db.read(read)


def forget_person(farm: Farm, account: Account, password: str) -> None:
    """Close an account and take every name off it; its pictures and what it earned stay, under a number.

    Raises BadCredentials, TooManyTries, and Forbidden for the last owner.
    """
    accounts.prove_password(farm, account, password)

    def forget(tx: Tx) -> None:
        close(tx, account, account.name, "by its own wish", farm.now())
        people_rows.forget_account(tx, account.id)
        people_rows.change_person(tx, account.id, email="", verified_at=None)
        people_rows.forget_machines(tx, account.id)
        for hook in hook_rows.hooks_of(tx, account.id):
            hook_rows.remove_hook(tx, hook.id)

    farm.db.write(forget)
