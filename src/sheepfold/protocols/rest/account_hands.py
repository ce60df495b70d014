"""The REST client's hands on an account: its person, keys, browsers, teams and webhooks."""

from collections.abc import Mapping
from typing import Any

from sheepfold.model.accounts import Role, Scope
from sheepfold.protocols.rest.account_wire import (
    AccountOut,
    DataOut,
    InvitationMade,
    KeyList,
    KeyMade,
    SignedInList,
)
from sheepfold.protocols.rest.calls import Sent, query_of
from sheepfold.protocols.rest.hands import Hands, part
from sheepfold.protocols.rest.team_wire import TeamInvitation, TeamList, TeamOut, TeamPage
from sheepfold.protocols.rest.webhook_wire import (
    DeliveryList,
    TestSent,
    WebhookAdded,
    WebhookList,
    WebhookMade,
    WebhookOut,
)


class AccountHands(Hands):
    """What people do with their accounts; most of it wants a key with the scope `manage`."""

    def account(self) -> AccountOut:
        """See your account."""
        return self._read("/account", AccountOut)

    def account_data(self) -> Mapping[str, Any]:
        """Return all that the farm keeps of you."""
        return self._read("/account/data", DataOut).root

    def set_email(self, email: str) -> None:
        """Set the address that letters go to, or none; a code that proves it is sent there."""
        self._calls.tell("PUT", "/account/email", Sent(json={"email": email}))

    def prove_email(self, code: str) -> None:
        """Prove your address by the code of the letter."""
        self._calls.tell("POST", "/account/email/proof", Sent(json={"code": code}))

    def change_password(self, old: str, password: str) -> None:
        """Change your password; every browser is signed out."""
        self._calls.tell("PUT", "/account/password", Sent(json={"old": old, "password": password}))

    def forget_account(self, password: str) -> None:
        """Close your account and take every name off it."""
        self._calls.tell("POST", "/account/forget", Sent(json={"password": password}))

    def keys(self, limit: int = 50, before: int | None = None) -> KeyList:
        """Return a page of the keys of your machines, the newest first."""
        return self._read("/account/keys", KeyList, query_of({"limit": limit, "before": before}))

    def add_key(self, machine: str, scope: Scope = Scope.WORK) -> KeyMade:
        """Make a key for a machine of yours; it is shown now alone."""
        return self._calls.ask("POST", f"/machines/{part(machine)}/keys", KeyMade, Sent(json={"scope": scope}))

    def revoke_key(self, key_id: int) -> None:
        """Revoke one key."""
        self._calls.tell("DELETE", f"/account/keys/{key_id}")

    def revoke_machine(self, machine: str) -> None:
        """Revoke all keys of a machine."""
        self._calls.tell("DELETE", f"/machines/{part(machine)}/keys")

    def browsers(self, limit: int = 50, before: int | None = None) -> SignedInList:
        """Return a page of the browsers in which you are signed in, the newest first."""
        return self._read("/account/browsers", SignedInList, query_of({"limit": limit, "before": before}))

    def sign_out(self, session_id: int) -> None:
        """Sign a browser out."""
        self._calls.tell("DELETE", f"/account/browsers/{session_id}")

    def invite(self, role: Role = Role.VOLUNTEER) -> str:
        """Make an invitation's code, which works once."""
        return self._calls.ask("POST", "/invitations", InvitationMade, Sent(json={"role": role})).code

    def webhooks(self, limit: int = 50, after: int | None = None) -> WebhookList:
        """Return a page of your webhooks, the oldest first."""
        return self._read("/webhooks", WebhookList, query_of({"limit": limit, "after": after}))

    def add_webhook(self, asked: WebhookAdded) -> WebhookMade:
        """Have you told at an address; the secret is told now alone."""
        return self._calls.ask("POST", "/webhooks", WebhookMade, Sent(json=asked.model_dump(mode="json")))

    def remove_webhook(self, hook_id: int) -> None:
        """Remove a webhook."""
        self._calls.tell("DELETE", f"/webhooks/{hook_id}")

    def try_webhook(self, hook_id: int) -> str:
        """Have a test sent to a webhook; returns the delivery's id."""
        return self._calls.ask("POST", f"/webhooks/{hook_id}/test", TestSent).delivery

    def enable_webhook(self, hook_id: int) -> WebhookOut:
        """Have a disabled webhook told again."""
        return self._calls.ask("POST", f"/webhooks/{hook_id}/enable", WebhookOut)

    def deliveries(self, hook_id: int, limit: int = 50, before: int | None = None) -> DeliveryList:
        """Return a page of what was sent to a webhook lately, the newest first."""
        asked = query_of({"limit": limit, "before": before})
        return self._read(f"/webhooks/{hook_id}/deliveries", DeliveryList, asked)

    def teams(self, limit: int = 50, after: str = "") -> TeamList:
        """Return a page of the teams, those whose members earned most first."""
        return self._read("/teams", TeamList, query_of({"limit": limit, "after": after or None}))

    def team(self, name: str) -> TeamPage:
        """See a team with its members."""
        return self._read(f"/teams/{part(name)}", TeamPage)

    def make_team(self, name: str) -> TeamOut:
        """Make a team and lead it."""
        return self._calls.ask("POST", "/teams", TeamOut, Sent(json={"name": name}))

    def invite_to_team(self, name: str) -> str:
        """Make a link by which whoever has it joins a team; the one before works no more."""
        return self._calls.ask("POST", f"/teams/{part(name)}/invitation", TeamInvitation).link

    def join_team(self, invitation: str) -> TeamOut:
        """Join the team that an invitation's code leads to."""
        return self._calls.ask("POST", "/teams/join", TeamOut, Sent(json={"invitation": invitation}))

    def remove_from_team(self, name: str, member: str) -> None:
        """Take a member out of a team, or leave it."""
        self._calls.tell("DELETE", f"/teams/{part(name)}/members/{part(member)}")

    def hand_over_team(self, name: str, member: str) -> TeamPage:
        """Have another member lead a team."""
        return self._calls.ask("PATCH", f"/teams/{part(name)}", TeamPage, Sent(json={"leader": member}))
