"""What Browsershots' methods do: each typed call becomes operations of the farm, and their outcome its answer."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sheepfold.blobs.spool import Spooled
from sheepfold.farm import browsers as browser_verbs
from sheepfold.farm import nonces, screenshots, shots
from sheepfold.farm.farm import Farm
from sheepfold.farm.nonces import IsProof, Owner, OwnerOf
from sheepfold.farm.orders import Order, order_job
from sheepfold.model import errors
from sheepfold.model.accounts import Account, Scope
from sheepfold.model.browsers import abilities_of, major_minor
from sheepfold.model.errors import Forbidden, InvalidSpec, SheepfoldError
from sheepfold.model.jobs import JobId
from sheepfold.model.machines import Machine
from sheepfold.model.tasks import TaskId, Verdict
from sheepfold.model.user_agents import PLATFORMS
from sheepfold.protocols.browsershots import calls, wire
from sheepfold.protocols.browsershots.credentials import SCHEMES, salt_for
from sheepfold.protocols.browsershots.wire import Algorithm, Fault, KnownFault, MethodCall, Value
from sheepfold.store.browsers import Door

PROTOCOL = "browsershots"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and the file that came with the call, if any.

    `told` is what was asked and answered since the caller last did something: a multicall may ask the same many times.
    """

    farm: Farm
    address: str
    file: Callable[[], Spooled]
    told: dict[calls.Request, Value] = field(default_factory=dict)


def answer(caller: Caller, call: MethodCall) -> Value:
    """Answer a call; raises Fault, and Unavailable where the whole server can do nothing now."""
    try:
        return _done(caller, wire.decode_call(call))
    except errors.Unavailable:
        raise
    except SheepfoldError as error:
        raise fault_of(error, call) from error


def _done(caller: Caller, asked: calls.Request) -> Value:
    """Do what is asked, and return its answer; that of a mere question, which changes nothing, is remembered."""
    if not isinstance(asked, _QUESTIONS):
        caller.told.clear()
        return _ANSWERS[type(asked)](caller, asked)
    if asked not in caller.told:
        caller.told[asked] = _ANSWERS[type(asked)](caller, asked)
    return caller.told[asked]


def fault_of(error: SheepfoldError, call: MethodCall) -> Fault:
    """Return the fault that tells an error, in the old server's words where it had some."""
    factory = call.params[0] if call.params else ""
    request = call.params[2] if len(call.params) > 2 else ""
    for sort, known in _FAULTS.items():
        if isinstance(error, sort):
            return known.fault(factory=getattr(error, "factory", "") or factory, request=request)
    return wire.fault_for(error)


def for_log(text: str) -> str:
    """Return a text without what may be a key, or a proof of one: a client may give it in the place of a name."""
    return _SECRET.sub("(hidden)", text)


_SECRET = re.compile(r"[0-9A-Fa-f]{32,}", re.ASCII)
_FAULTS: dict[type[SheepfoldError], KnownFault] = {
    errors.UnknownMachine: KnownFault.FACTORY_NOT_FOUND,
    errors.UnknownTask: KnownFault.REQUEST_NOT_FOUND,
    nonces.OtherAddress: KnownFault.OTHER_ADDRESS,
    shots.Throttled: KnownFault.FACTORY_BLOCKED,
    shots.NoActiveBrowsers: KnownFault.NO_ACTIVE_BROWSERS,
    shots.BrowsersBlocked: KnownFault.BROWSERS_BLOCKED,
    shots.NotLocked: KnownFault.NOT_LOCKED,
    shots.LockedByOther: KnownFault.LOCKED_BY_OTHER,
    shots.NotVisited: KnownFault.NOT_VISITED,
}


def log_in(farm: Farm, factory: str, encrypted: str, address: str) -> Machine:
    """Return the machine that proved its key, using its nonce up; raises UnknownMachine, BadCredentials and kin."""
    machine, door = knock(farm, factory, address)
    enter(farm, door, encrypted, address)
    return machine


def knock(farm: Farm, factory: str, address: str) -> tuple[Machine, Door]:
    """Return a factory's machine with what it may come in by from an address; raises UnknownMachine."""
    return nonces.find_door(farm, factory, address, SCHEMES.values())


def enter(farm: Farm, door: Door, encrypted: str, address: str) -> None:
    """Use up the nonce that a factory proved its key with; raises BadCredentials and kin."""
    nonces.enter(farm, door, address, _proof(encrypted))


def _log_in_user(caller: Caller, username: str, encrypted: str) -> tuple[Account, Scope]:
    account = nonces.account_named(caller.farm, username)
    owner = Owner(OwnerOf.ACCOUNT, account.id)
    return account, nonces.use_nonce(caller.farm, owner, caller.address, SCHEMES.values(), _proof(encrypted))


def _proof(encrypted: str) -> IsProof:
    return lambda inner, nonce: wire.is_encrypted_with(encrypted, inner, nonce)


def _challenge(caller: Caller, asked: wire.Challenge) -> Value:
    return _challenged(caller, *nonces.issue_nonce_to_machine(caller.farm, asked.factory, caller.address))


def _challenge_user(caller: Caller, asked: wire.ChallengeUser) -> Value:
    account = nonces.account_named(caller.farm, asked.username)
    return _challenged(caller, nonces.issue_nonce(caller.farm, account.id, caller.address), account.name)


def _challenged(caller: Caller, nonce: str, account_name: str) -> Value:
    algorithm = Algorithm(caller.farm.settings.browsershots_hash)
    return wire.ChallengeAnswer(algorithm, salt_for(algorithm, account_name), nonce).to_value()


def _verify(caller: Caller, asked: wire.Verify) -> Value:
    log_in(caller.farm, asked.factory, asked.encrypted, caller.address)
    return True


def _verify_user(caller: Caller, asked: wire.VerifyUser) -> Value:
    _log_in_user(caller, asked.username, asked.encrypted)
    return True


def _poll(caller: Caller, asked: wire.Poll) -> Value:
    machine = log_in(caller.farm, asked.factory, asked.encrypted, caller.address)
    shot = shots.poll(caller.farm, shots.maker_of(machine, PROTOCOL), machine)
    if shot is None:
        raise KnownFault.NO_REQUEST.fault()
    program, spec = shot.browser.program, shot.job.spec
    major, minor = major_minor(program.version)
    return wire.PollAnswer(
        request=shot.task_id, browser=program.name, version=program.version, major=major, minor=minor,
        command=program.command, width=shot.screen.width, height=shot.screen.height, bpp=shot.screen.bpp,
        javascript=spec["javascript"], java=spec["java"], flash=spec["flash"],
    ).to_value()  # fmt: skip


def _upload(caller: Caller, asked: wire.Upload) -> Value:
    machine = log_in(caller.farm, asked.factory, asked.encrypted, caller.address)
    maker = shots.maker_of(machine, PROTOCOL)
    delivery = shots.deliver(caller.farm, maker, TaskId(asked.request), caller.file())
    if delivery.receipt.reason and delivery.receipt.verdict is not Verdict.VALID:
        raise _picture_fault(delivery.receipt.reason, delivery.hashkey)
    return delivery.hashkey


def _picture_fault(reason: str, hashkey: str) -> Fault:
    """Return the fault that an inspection's reason names by its number."""
    found = re.fullmatch(r"([0-9]{3}): (.*)", reason, re.DOTALL)
    if found is None:
        return Fault(415, reason)
    if found[1] == "415":
        return KnownFault.UNDECODABLE.fault(hashkey=hashkey)
    return Fault(int(found[1]), found[2])


def _features(caller: Caller, asked: wire.Features) -> Value:
    factory = browser_verbs.view_factory(caller.farm, asked.factory)
    if not factory.browsers:
        raise shots.NoActiveBrowsers
    able = abilities_of(factory, PROTOCOL, caller.farm.now())
    if not able.browsers:
        raise shots.BrowsersBlocked
    names = " OR ".join(f"(browser = {one.name!r} AND version = {one.version!r})" for one in sorted(able.browsers))
    sizes = " OR ".join(f"(width = {width})" for width in sorted({width for width, _ in able.sizes})) or "(any size)"
    depths = " OR ".join(f"(bpp = {depth})" for depth in sorted(able.depths)) or "(any depth)"
    return f"((platform = {factory.platform!r}) AND ({names}) AND ({sizes}) AND ({depths}))"


def _active(caller: Caller, _: wire.ActiveBrowsers) -> Value:
    return list(browser_verbs.active_browsers(caller.farm))


def _submit(caller: Caller, asked: wire.Submit) -> Value:
    account, scope = _log_in_user(caller, asked.username, asked.encrypted)
    if not scope.covers(Scope.ORDER):
        raise Forbidden("This key is for rendering; orders need a key with the scope 'order'.")
    names = {_plain(one.program.name): one.program.name
             for factory in browser_verbs.list_factories(caller.farm) for one in factory.browsers}
    wanted = [one for one in wire.read_browsers(asked.browsers) if one.platform in PLATFORMS]
    if not wanted:
        raise InvalidSpec("None of these browsers is known: they are named like linux_firefox_2_0.")
    spec: dict[str, Any] = {
        "url": asked.url,
        "browsers": [_wanted(one, names) for one in wanted],
        "expire_s": caller.farm.settings.screenshot_expiry_s,
    }
    return order_job(caller.farm, account, Order("screenshot", spec, title=asked.url[:100])).id


def _wanted(one: wire.BrowserId, names: dict[str, str]) -> dict[str, str]:
    numbers = [one.major, one.minor if one.major is not None else None]
    version = ".".join(str(number) for number in numbers if number is not None)
    return {"name": names.get(one.browser, one.browser), "version": version, "platform": one.platform}


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "-")


def _status(caller: Caller, asked: wire.Status) -> Value:
    rows = screenshots.group_status(caller.farm, JobId(asked.group), PROTOCOL)
    return [wire.StatusRow(row.browser, row.status, row.seconds, row.hashkey).to_value() for row in rows]


def _multicall(caller: Caller, asked: wire.Multicall) -> Value:
    return wire.multicall_answer([_one_of_many(caller, call) for call in asked.calls])


def _one_of_many(caller: Caller, call: MethodCall) -> Value | Fault:
    try:
        return answer(caller, call)
    except Fault as fault:
        return fault


_QUESTIONS = (wire.ActiveBrowsers, wire.Features, wire.Status, wire.ListMethods, wire.MethodHelp, wire.MethodSignature)
_ANSWERS: dict[type[calls.Request], Callable[[Caller, Any], Value]] = {
    wire.ActiveBrowsers: _active,
    wire.Features: _features,
    wire.Challenge: _challenge,
    wire.ChallengeUser: _challenge_user,
    wire.Verify: _verify,
    wire.VerifyUser: _verify_user,
    wire.Poll: _poll,
    wire.Status: _status,
    wire.Submit: _submit,
    wire.Upload: _upload,
    wire.ListMethods: lambda _, __: wire.list_methods(),
    wire.MethodHelp: lambda _, asked: wire.method_help(asked.name),
    wire.MethodSignature: lambda _, asked: wire.method_signature(asked.name),
    wire.Multicall: _multicall,
}
