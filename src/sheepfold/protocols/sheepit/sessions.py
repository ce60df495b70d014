"""Who speaks on SheepIt's wire: logins, tokens in paths, cookies and extras, and what a client told of its machine."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Self

from starlette.requests import Request

from sheepfold.farm.accounts import holder_of, key_verifier
from sheepfold.farm.dispatch import Maker, open_session, session_of
from sheepfold.farm.farm import Farm
from sheepfold.model.errors import BadCredentials, Forbidden, SessionEnded
from sheepfold.model.machines import Session
from sheepfold.protocols.sheepit import wire

PROTOCOL = "sheepit"
COOKIE = "farm"
_TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Told:
    """What a client told of its machine when it logged in; it stays true for the session."""

    era: wire.Era
    system: str
    bits: int
    ram_kib: int = 0
    cpu_cores: int = 0
    cpu: str = ""
    version: str = ""
    hostname: str = ""
    is_headless: bool = False

    def to_text(self) -> str:
        """Write it for the session's row."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote."""
        plain = json.loads(text)
        return cls(**plain | {"era": wire.Era(plain["era"])})


@dataclass(frozen=True, slots=True)
class Visit:
    """A request's living session: its token, and what its client told when it logged in."""

    token: str
    session: Session
    told: Told

    @property
    def maker(self) -> Maker:
        """Return who renders, as the farm's operations want it."""
        return Maker(self.session.machine_id, self.session.account_id, PROTOCOL, self.session.id)


def log_in(farm: Farm, asked: wire.ConfigRequest) -> str:
    """Open a session by an account's name and one of its machine keys; returns its token.

    The key alone says which machine that is: several machines may bear one host name. Raises BadCredentials.
    """
    holder = holder_of(farm, asked.password)
    if holder.account.name != asked.login.strip().lower():
        raise BadCredentials
    maker = Maker(holder.machine.id, holder.account.id, PROTOCOL)
    return open_session(farm, maker, told_by(asked).to_text(), key_verifier(asked.password))


def log_in_again(farm: Farm, request: Request) -> str:
    """Open a session for a client that names no account but brings the cookie of a living one; raises SessionEnded."""
    tokens = list(_cookies(request))
    visit = _first_living(farm, tokens)
    return open_session(farm, visit.maker, visit.told.to_text(), session_of(farm, visit.token).opened_by)


def has_cookie(request: Request) -> bool:
    """Say whether a request brings a cookie of ours, of whatever worth."""
    return next(_cookies(request), None) is not None


def told_by(asked: wire.ConfigRequest) -> Told:
    """Return what a log-in tells of its machine."""
    return Told(
        era=asked.era,
        system=asked.platform,
        bits=32 if asked.bits.startswith("32") else 64,
        ram_kib=asked.ram_kib,
        cpu_cores=asked.cpu_cores,
        cpu=asked.cpu_model_name[:100],
        version=asked.version[:40],
        hostname=(asked.hostname or "")[:100],
        is_headless=asked.is_headless,
    )


def visit_of(farm: Farm, request: Request, pairs: Mapping[str, str]) -> Visit:
    """Return the session of a request: by the token in its path, else by its cookie, else by its extras.

    Clients before 2018-12 lose a cookie whose header is not spelled just so, and before 2016-02 they send heartbeats
    to a path of their own. Raises SessionEnded, and Forbidden where the key that opened the session was revoked.
    """
    in_path = request.path_params.get("token")
    tokens = [in_path] if in_path is not None else [*_cookies(request), wire.read_extras(pairs.get("extras", ""))[0]]
    return _first_living(farm, tokens)


def check_living(farm: Farm, visit: Visit) -> None:
    """Raise SessionEnded, or Forbidden, where a request's session is over by now as `visit_of` says."""
    _first_living(farm, [visit.token])


def _first_living(farm: Farm, tokens: list[str]) -> Visit:
    for token in tokens:
        if _TOKEN.fullmatch(token) and (visit := _living(farm, token)) is not None:
            return visit
    raise SessionEnded


def _living(farm: Farm, token: str) -> Visit | None:
    try:
        known = session_of(farm, token)
    except SessionEnded:
        return None
    if known.session.protocol != PROTOCOL:
        return None
    if known.holder is None:
        raise Forbidden("The key that opened this session was revoked.")
    return Visit(token, known.session, Told.from_text(known.abilities))


def _cookies(request: Request) -> Iterator[str]:
    """Walk over the values of our cookie. Clients before 2018-12 echo its attributes too, as cookies of their own."""
    for header in request.headers.getlist("cookie"):
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == COOKIE:
                yield value.strip()
