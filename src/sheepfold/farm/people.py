"""People: signing up, in and out, invitations, forgotten passwords, and letters in a local outbox."""

import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sheepfold.farm import accounts
from sheepfold.farm.accounts import hash_password, key_verifier
from sheepfold.farm.farm import Farm
from sheepfold.farm.tries import MOST_TRIES
from sheepfold.model.accounts import Account, AccountId, Role, chosen_name
from sheepfold.model.errors import BadCredentials, BadInput, Forbidden, TooManyTries
from sheepfold.store import accounts as account_rows
from sheepfold.store import people as people_rows
from sheepfold.store.database import Tx
from sheepfold.store.paging import MOST, Place
from sheepfold.store.people import Earner, Person, Ticket, WebSession

PASSWORD_LENGTH = 8
LONGEST_PASSWORD = 200
LONGEST_ADDRESS = 254
INVITATION_S = 7 * 86_400
RESET_S = 3600
VERIFY_S = 7 * 86_400
INVITE, RESET, VERIFY = "invite", "reset", "verify"
_ADDRESS = re.compile(r"""[^\s@,;<>()":\\]+@[^\s@,;<>()":\\]+""")
"""One address as it stands in a letter's head, with nothing that quotes, groups or follows one (RFC 5322, 3.4)."""
_OWNED = "This farm has an owner already."
_NOT_INVITED = "This invitation is unknown, used already, or more than a week old."
_NO_LONGER_INVITED = "Whoever gave this invitation may give it no more; ask for another one."
_NO_RESET = "This code is unknown, used already, or more than an hour old."


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the pages: an account and its web session."""

    account: Account
    session: WebSession


def needs_owner(farm: Farm) -> bool:
    """Say whether the farm has no owner yet, and its pages should begin with making one."""
    return not farm.db.read(people_rows.has_owner)


def make_owner(farm: Farm, name: str, password: str) -> Account:
    """Make the first owner's account; raises Forbidden where there is one already, InvalidName, NameTaken, BadInput."""
    if not needs_owner(farm):
        raise Forbidden(_OWNED)
    checked, password_hash = chosen_name(name), _hashed(password)

    def make(tx: Tx) -> Account:
        if people_rows.has_owner(tx):
            raise Forbidden(_OWNED)
        people_rows.note(tx, checked, "became the owner", "", farm.now())
        return account_rows.add_account(tx, checked, Role.OWNER, password_hash, farm.now())

    return farm.db.write(make)


def sign_in(farm: Farm, name: str, password: str, browser: str) -> str:
    """Open a web session; returns its token, which is seen only now. Raises BadCredentials."""
    account = accounts.check_password(farm, name, password)
    if farm.db.read(lambda tx: people_rows.person_of(tx, account.id)).closed_at is not None:
        raise BadCredentials
    return open_web_session(farm, account, browser)


def open_web_session(farm: Farm, account: Account, browser: str) -> str:
    """Open a web session for an account that has proven itself; returns its token."""
    token = secrets.token_urlsafe(32)
    farm.db.write(lambda tx: people_rows.add_web_session(tx, key_verifier(token), account.id, browser[:200],
                                                         farm.now()))
    return token


def visitor_of(farm: Farm, token: str) -> Visitor | None:
    """Return whose web session a token opens as `find_visitor` does, noting that it was used."""
    visitor, now = find_visitor(farm, token), farm.now()
    if visitor is not None and visitor.session.last_seen_at + people_rows.SEEN_GRAIN_S < now:
        farm.db.write(lambda tx: people_rows.touch(tx, visitor.session.id, now))
    return visitor


def find_visitor(farm: Farm, token: str) -> Visitor | None:
    """Return whose web session a token opens; None where it has ended or was not used for too long."""
    found = farm.db.read(lambda tx: people_rows.find_web_session(tx, key_verifier(token)))
    if found is None or found[0].last_seen_at + farm.settings.web_session_s < farm.now():
        return None
    return Visitor(found[1], found[0])


def sign_out(farm: Farm, token: str) -> None:
    """End the web session of a token."""
    farm.db.write(lambda tx: people_rows.end_session_of(tx, key_verifier(token), farm.now()))


def list_web_sessions(farm: Farm, account_id: AccountId, limit: int = MOST, before: int | None = None
                      ) -> list[WebSession]:
    """Return the browsers in which an account is signed in, the newest first."""
    return farm.db.read(lambda tx: people_rows.sessions_of(tx, account_id, limit, before))


def end_web_session(farm: Farm, account_id: AccountId, session_id: int | None = None) -> int:
    """End one web session of an account, or all of them; returns how many."""
    return farm.db.write(lambda tx: people_rows.end_sessions(tx, account_id, farm.now(), session_id))


def invite(farm: Farm, by: Account, role: Role) -> str:
    """Make an invitation that works once within a week; returns its code.

    Owners invite to any role, artists volunteers; raises Forbidden. It works as long as they may.
    """
    if not _may_invite(view_person(farm, by.id), role):
        raise Forbidden(f"{by.name} is a {by.role} and may not invite a {role}.")
    code = _ticket(farm, INVITE, by.id, INVITATION_S, role)
    farm.db.write(lambda tx: people_rows.note(tx, by.name, f"invited: {role}", "", farm.now()))
    return code


def sign_up(farm: Farm, name: str, password: str, code: str = "") -> Account:
    """Make an account as the farm's setting allows: open to all as volunteers, or by an invitation's code.

    Raises BadCredentials for a code that does not work, and only then; else Forbidden, InvalidName, NameTaken, and
    BadInput for a password that is too short.
    """
    if farm.settings.sign_up not in {"open", "invitation"}:
        raise Forbidden("This farm takes no new accounts; ask its owner.")
    is_invited = bool(code) or farm.settings.sign_up == "invitation"
    if is_invited and not _is_good(farm, code, INVITE):
        raise BadCredentials(_NOT_INVITED)
    checked, password_hash = chosen_name(name), _hashed(password)

    def add(tx: Tx) -> Account:
        role = Role.VOLUNTEER
        if is_invited:
            ticket = people_rows.use_ticket(tx, key_verifier(code.strip()), INVITE, farm.now())
            if ticket is None:
                raise BadCredentials(_NOT_INVITED)
            role = _invited_to(tx, ticket)
        people_rows.note(tx, checked, f"signed up as a {role}", "", farm.now())
        return account_rows.add_account(tx, checked, role, password_hash, farm.now())

    return farm.db.write(add)


def _may_invite(giver: Person, role: Role) -> bool:
    own = giver.account.role
    return giver.closed_at is None and (own is Role.OWNER or (own.covers(Role.ARTIST) and role is Role.VOLUNTEER))


def _invited_to(tx: Tx, ticket: Ticket) -> Role:
    role = Role(ticket.role)
    if not _may_invite(people_rows.person_of(tx, ticket.account_id), role):
        raise Forbidden(_NO_LONGER_INVITED)
    return role


def change_password(farm: Farm, account: Account, old: str, new: str) -> None:
    """Change a password; every other browser is signed out. Raises BadCredentials, TooManyTries, BadInput."""
    accounts.prove_password(farm, account, old)
    set_password(farm, account, new)


def set_password(farm: Farm, account: Account, new: str) -> None:
    """Set a password and sign every browser of the account out; raises BadInput."""
    farm.db.write(partial(_set_password, farm, account, _hashed(new)))


def _set_password(farm: Farm, account: Account, password_hash: str, tx: Tx) -> None:
    people_rows.change_account(tx, account.id, password_hash=password_hash)
    people_rows.end_sessions(tx, account.id, farm.now())
    people_rows.use_up_tickets(tx, RESET, account.id, farm.now())
    people_rows.note(tx, account.name, "changed the password", "", farm.now())


def set_email(farm: Farm, account: Account, email: str) -> None:
    """Set the address of a person and send a code that proves it; what was sent to the one before works no more.

    Raises BadInput, and TooManyTries where an account has as many letters sent as there are tries.
    """
    email = email.strip()
    if email and not (_ADDRESS.fullmatch(email) and len(email) <= LONGEST_ADDRESS and email.isprintable()):
        raise BadInput(f"An e-mail address is like ann@example.org; found {email[:60]!r}.")
    if email:
        _count_letter(farm, account.name)
    code, now = secrets.token_urlsafe(15), farm.now()

    def change(tx: Tx) -> None:
        people_rows.change_person(tx, account.id, email=email, verified_at=None)
        for purpose in VERIFY, RESET:
            people_rows.use_up_tickets(tx, purpose, account.id, now)
        if email:
            people_rows.add_ticket(tx, key_verifier(code), VERIFY, account.id, "", (now, now + VERIFY_S))

    farm.db.write(change)
    if email:
        _send(farm, email, "Your address at the farm", f"To prove this address, enter this code on your page: {code}")


def verify_email(farm: Farm, account: Account, code: str) -> None:
    """Take an address for proven by the code that was sent to it; raises BadInput."""

    def verify(tx: Tx) -> None:
        people_rows.change_person(tx, account.id, verified_at=farm.now())  # waits for who sets another address
        ticket = people_rows.use_ticket(tx, key_verifier(code.strip()), VERIFY, farm.now())
        if ticket is None or ticket.account_id != account.id:
            raise BadInput("This code is unknown, used already, or more than a week old.")

    farm.db.write(verify)


def ask_reset(farm: Farm, email: str) -> None:
    """Send a code that sets a new password, if anybody has proven this address; says nothing of whether anybody has.

    Nor does it say so where as many are on their way already as there are tries.
    """
    person = farm.db.read(lambda tx: people_rows.find_by_email(tx, email.strip()))
    if person is None:
        return
    with suppress(TooManyTries):
        farm.tries.count(f"reset {person.account.name}")  # apart from the person's own letters: strangers ask for these
        code = _ticket(farm, RESET, person.account.id, RESET_S)
        text = f"To set a new password for {person.account.name}, enter this code within an hour: {code}"
        _send(farm, person.email, "A new password at the farm", text)


def reset_password(farm: Farm, code: str, new: str) -> Account:
    """Set a new password by a code that was sent; raises BadInput."""
    if not _is_good(farm, code, RESET):
        raise BadInput(_NO_RESET)
    password_hash = _hashed(new)

    def reset(tx: Tx) -> Account:
        ticket = people_rows.use_ticket(tx, key_verifier(code.strip()), RESET, farm.now())
        if ticket is None:
            raise BadInput(_NO_RESET)
        account = account_rows.account_of(tx, ticket.account_id)
        _set_password(farm, account, password_hash, tx)
        return account

    return farm.db.write(reset)


def view_person(farm: Farm, account_id: AccountId) -> Person:
    """Return what the farm knows of a person."""
    return farm.db.read(lambda tx: people_rows.person_of(tx, account_id))


def person_named(farm: Farm, name: str) -> Person:
    """Return what the farm knows of the person whose account has a name; raises UnknownAccount."""
    return farm.db.read(lambda tx: people_rows.person_of(tx, account_rows.account_named(tx, name).id))


def list_people(farm: Farm, limit: int, after: str = "", search: str = "") -> list[Person]:
    """Return people by their names, those after a name; of whom the name or the address has the searched words in it.

    The anonymous account is nobody.
    """
    return farm.db.read(lambda tx: people_rows.list_people(tx, limit, after, search.strip()))


def list_earners(farm: Farm, limit: int, after: Place | None = None) -> list[Earner]:
    """Return who earned something, who earned most first, from a place on; on a large farm as it was a while ago."""
    return farm.boards.earners.page(limit, after)


def _ticket(farm: Farm, purpose: str, account_id: AccountId, life_s: int, role: str = "") -> str:
    code, now = secrets.token_urlsafe(15), farm.now()
    farm.db.write(lambda tx: people_rows.add_ticket(tx, key_verifier(code), purpose, account_id, role,
                                                    (now, now + life_s)))
    return code


def _is_good(farm: Farm, code: str, purpose: str) -> bool:
    """Say whether a code would work now, before a password is hashed for it; to use it up is what decides."""
    return farm.db.read(lambda tx: people_rows.has_ticket(tx, key_verifier(code.strip()), purpose, farm.now()))


def _count_letter(farm: Farm, name: str) -> None:
    try:
        farm.tries.count(f"letter {name}")
    except TooManyTries:
        raise TooManyTries(f"{MOST_TRIES} letters were sent for {name} just now: try again in ten minutes.") from None


def _send(farm: Farm, address: str, subject: str, text: str) -> None:
    """Put a letter into the outbox: a file that the farm's mail program, or its owner, takes from there."""
    outbox = farm.settings.data / "outbox"
    outbox.mkdir(mode=0o700, exist_ok=True)
    letter = outbox / f"{farm.now()}-{secrets.token_hex(4)}.eml"
    letter.touch(mode=0o600)
    head = f"To: {address}\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8"
    letter.write_text(f"{head}\n\n{text}\n", "utf-8")


def _hashed(password: str) -> str:
    if not PASSWORD_LENGTH <= len(password) <= LONGEST_PASSWORD:
        raise BadInput(f"A password has {PASSWORD_LENGTH} to {LONGEST_PASSWORD} characters.")
    return hash_password(password)
