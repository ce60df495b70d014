"""Webhooks: where accounts want to be told of their jobs and machines, and owners of the whole farm's."""

import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sheepfold.farm.farm import Farm
from sheepfold.farm.sites import Resolve, Rules, checked_addresses, system_addresses
from sheepfold.model.accounts import Account, AccountId, Role
from sheepfold.model.errors import BadInput, Conflict, Forbidden, InvalidSpec
from sheepfold.model.notices import Form, Notice, Reach, Topic
from sheepfold.store import accounts as account_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import people as people_rows
from sheepfold.store import webhooks as hook_rows
from sheepfold.store.database import Tx
from sheepfold.store.webhooks import Delivery, Hook

MOST_HOOKS = 20
"""How many hooks an account may have."""
LONGEST_URL = 1000
DELIVERIES_SHOWN = 50
FAN_OUT_AT_A_TIME = 100

_SENTENCES: Mapping[Topic, Callable[[Mapping[str, Any]], str]] = {
    Topic.JOB_DONE: lambda told: f"{_job(told)} is done.",
    Topic.JOB_FAILED: lambda told: f"{_job(told)} failed.",
    Topic.JOB_ATTENTION: lambda told: f"{_job(told)} needs a look: {told['detail'].get('reason', 'a chore failed')}",
    Topic.TASK_BROKEN: lambda told: f"Task {told['task']} of {_job(told)} is broken: every attempt failed.",
    Topic.MACHINE_SUSPENDED: lambda told: "Machine {machine} is suspended. {reason}".format(**told["detail"]),
    Topic.REVIEW_CHANGED: lambda told: f"{_job(told)} has changed pictures to review: {told['detail']['changed']}.",
    Topic.PROBLEM_REPORTED: lambda told: "{account} reports of {job}: {text}".format(job=_job(told), **told["detail"]),
    Topic.TEST: lambda told: "This is a test: the farm reaches this webhook.",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A hook as it is asked for; no topics mean all.

    `token` is what a Matrix server knows its user by, where the address is one of its client API; it takes the
    secret's place.
    """

    url: str
    form: Form = Form.JSON
    topics: Sequence[Topic] = ()
    reach: Reach = Reach.OWN
    token: str = ""


def add_webhook(farm: Farm, account: Account, wanted: Wanted, resolve: Resolve = system_addresses) -> Hook:
    """Have an account told at an address; returns the hook with its secret, which signs what is sent.

    The secret is told now and never again. Raises BadInput for an address that cannot be one, Forbidden for one that
    is private, by its number or by where its name leads now, or where an artist asks for the farm's reach, and
    Conflict above MOST_HOOKS.
    """
    if wanted.reach is Reach.FARM and account.role is not Role.OWNER:
        raise Forbidden("Only the farm's owner is told of everybody's jobs and machines.")
    if wanted.token and wanted.form is not Form.MATRIX:
        raise BadInput("Only a Matrix server takes a token.")
    checked, topics = _checked_url(farm, wanted.url, resolve), tuple(dict.fromkeys(wanted.topics))
    secret = wanted.token or secrets.token_urlsafe(32)
    hook = Hook(0, account.id, wanted.reach, wanted.form, checked, secret, topics, farm.now(), None, "")

    def add(tx: Tx) -> Hook:
        if len(hook_rows.hooks_of(tx, account.id)) >= MOST_HOOKS:
            raise Conflict(f"You have {MOST_HOOKS} webhooks already; remove one first.")
        people_rows.note(tx, account.name, "added webhook", urlsplit(checked).hostname or "", farm.now())
        return hook_rows.hook_of(tx, hook_rows.add_hook(tx, hook))

    return farm.db.write(add)


def list_webhooks(farm: Farm, account: Account, limit: int = MOST_HOOKS, after: int = 0) -> list[Hook]:
    """Return an account's hooks, the oldest first, those after an id."""
    return farm.db.read(lambda tx: hook_rows.hooks_of(tx, account.id, limit, after))


def remove_webhook(farm: Farm, account: Account, hook_id: int) -> None:
    """Remove a hook of an account, and what was to be sent there; raises NotFound."""

    def remove(tx: Tx) -> None:
        hook = hook_rows.hook_of(tx, hook_id, account.id)
        people_rows.note(tx, account.name, "removed webhook", urlsplit(hook.url).hostname or "", farm.now())
        hook_rows.remove_hook(tx, hook_id)

    farm.db.write(remove)


def enable_webhook(farm: Farm, account: Account, hook_id: int) -> Hook:
    """Tell a hook again that was disabled; what happened meanwhile is not told. Raises NotFound."""

    def enable(tx: Tx) -> Hook:
        hook_rows.hook_of(tx, hook_id, account.id)
        hook_rows.enable(tx, hook_id)
        return hook_rows.hook_of(tx, hook_id)

    return farm.db.write(enable)


def try_webhook(farm: Farm, account: Account, hook_id: int) -> str:
    """Have a test sent to a hook; returns the id that the message will bear. Raises NotFound, Conflict if disabled."""
    uid = farm.token()

    def send(tx: Tx) -> None:
        hook = hook_rows.hook_of(tx, hook_id, account.id)
        if hook.disabled_at is not None:
            raise Conflict(f"Webhook {hook_id} is disabled: {hook.reason} Enable it first.")
        notice = Notice(Topic.TEST, account_id=account.id, at=farm.now())
        _queue(tx, farm, hook, uid, _body(tx, farm, notice, uid), Topic.TEST)

    farm.db.write(send)
    return uid


def newest_deliveries(farm: Farm, account: Account, limit: int = DELIVERIES_SHOWN) -> Mapping[int, Sequence[Delivery]]:
    """Return what was sent to each of an account's hooks lately, by the hooks' ids, the newest first."""
    by_hook: dict[int, list[Delivery]] = defaultdict(list)
    for one in farm.db.read(lambda tx: hook_rows.newest_deliveries(tx, account.id, limit)):
        by_hook[one.hook_id].append(one)
    return by_hook


def list_deliveries(farm: Farm, account: Account, hook_id: int, limit: int = DELIVERIES_SHOWN,
                    before: int | None = None) -> list[Delivery]:
    """Return what was sent to a hook lately, the newest first, those before an id; raises NotFound."""

    def read(tx: Tx) -> list[Delivery]:
        hook_rows.hook_of(tx, hook_id, account.id)
        return hook_rows.deliveries_of(tx, hook_id, limit, before)

    return farm.db.read(read)


def fan_out(farm: Farm) -> int:
    """Make deliveries of the notices that wait, one for each hook that wants it; returns how many notices went.

    A notice goes in the transaction that brings its deliveries: whatever stops the house, none is lost or doubled.
    """
    notices = farm.db.read(lambda tx: hook_rows.waiting(tx, FAN_OUT_AT_A_TIME))
    for notice in notices:
        farm.db.write(partial(_deliver_all, farm=farm, notice=notice, uid=farm.token()))
    return len(notices)


def _deliver_all(tx: Tx, farm: Farm, notice: Notice, uid: str) -> None:
    if not hook_rows.take_notice(tx, notice.id):
        return
    owner = notice.account_id if notice.job_id is None else job_rows.job_of(tx, notice.job_id).account_id
    hooks = [one for one in hook_rows.listeners(tx, owner) if not one.topics or notice.topic in one.topics]
    if hooks:
        body = _body(tx, farm, notice, uid)
        for hook in hooks:
            _queue(tx, farm, hook, uid, body, notice.topic)


def _queue(tx: Tx, farm: Farm, hook: Hook, uid: str, body: Mapping[str, Any], topic: Topic) -> None:
    hook_rows.add_delivery(tx, hook.id, uid, topic, json.dumps(body, ensure_ascii=False), farm.now())


def _body(tx: Tx, farm: Farm, notice: Notice, uid: str) -> dict[str, Any]:
    """Write what is told, as the form `json` sends it and the others make their words of."""
    public_url = farm.settings.public_url.rstrip("/")
    told: dict[str, Any] = {"id": uid, "topic": notice.topic, "at": notice.at, "job": None, "task": notice.task_id,
                            "account": _name(tx, notice.account_id), "detail": dict(notice.detail), "link": None}
    if notice.job_id is not None:
        job = job_rows.job_of(tx, notice.job_id)
        told["account"] = _name(tx, job.account_id)
        told["job"] = {"id": job.id, "kind": job.kind, "title": job.title, "state": job.state}
        page = f"/shots/{job.id}/changes" if notice.topic is Topic.REVIEW_CHANGED else f"/jobs/{job.id}"
        told["link"] = public_url + page if public_url else None
    return told | {"text": _SENTENCES[notice.topic](told)}


def _name(tx: Tx, account_id: AccountId | None) -> str | None:
    return None if account_id is None else account_rows.account_of(tx, account_id).name


def _job(told: Mapping[str, Any]) -> str:
    job = told["job"]
    return f"Job {job['id']}" + (f" \"{job['title']}\"" if job["title"] else "")


def _checked_url(farm: Farm, url: str, resolve: Resolve) -> str:
    """Return an address that may be told; where its name leads is checked now, and again at each delivery."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError as error:
        raise BadInput("This is no address: its host or its port makes no sense.") from error
    plain = parts._replace(fragment="").geturl()
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise BadInput("A webhook's address begins with https:// or http:// and names a host, without a user.")
    if len(plain) > LONGEST_URL or not plain.isascii() or not plain.isprintable() or " " in plain:
        raise BadInput(f"A webhook's address has at most {LONGEST_URL} printable ASCII characters.")
    _check_place(farm, parts, resolve)
    return plain


def _check_place(farm: Farm, parts: SplitResult, resolve: Resolve) -> None:
    """Refuse what leads to a private place; a name that leads nowhere yet may be one that is not served today."""
    try:
        checked_addresses(Rules(farm.settings.webhook_allowed_ranges), parts, resolve)
    except InvalidSpec:
        return
    except Forbidden as error:
        raise Forbidden(f"{error} The farm's owner can allow it by the setting webhook_allowed_ranges.") from error
