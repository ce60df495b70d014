"""A folder's hands on an account: its person, keys, browsers, teams and webhooks."""

from collections.abc import Mapping
from typing import Any

from sheepfold.cli.folder_hands import FolderHands
from sheepfold.farm import accounts, people, privacy, teams, webhooks
from sheepfold.farm.owner import REVOKE, change_machine
from sheepfold.model.accounts import Role, Scope
from sheepfold.model.errors import NotFound
from sheepfold.protocols.rest.account import account_out, key_list, key_made, signed_in_list
from sheepfold.protocols.rest.account_wire import AccountOut, DataOut, KeyList, KeyMade, SignedInList
from sheepfold.protocols.rest.team_wire import TeamList, TeamOut, TeamPage
from sheepfold.protocols.rest.teams import team_list, team_out, team_page
from sheepfold.protocols.rest.webhook_wire import (
    DeliveryList,
    WebhookAdded,
    WebhookList,
    WebhookMade,
    WebhookOut,
)
from sheepfold.protocols.rest.webhooks import delivery_list, wanted, webhook_list, webhook_made, webhook_out


class FolderAccount(FolderHands):
    """What people do with their accounts."""

    def account(self) -> AccountOut:
        """See this account."""
        return account_out(self._farm, self._account)

    def account_data(self) -> Mapping[str, Any]:
        """Return all that the farm keeps of this account."""
        plain = DataOut(dict(privacy.export_person(self._farm, self._account))).model_dump(mode="json")
        return dict(plain)

    def set_email(self, email: str) -> None:
        """Set the address that letters go to, or none."""
        people.set_email(self._farm, self._account, email)

    def prove_email(self, code: str) -> None:
        """Prove the address by the code of the letter."""
        people.verify_email(self._farm, self._account, code)

    def change_password(self, old: str, password: str) -> None:
        """Change the password; every browser is signed out."""
        people.change_password(self._farm, self._account, old, password)

    def forget_account(self, password: str) -> None:
        """Close this account and take every name off it."""
        privacy.forget_person(self._farm, self._account, password)

    def keys(self, limit: int = 50, before: int | None = None) -> KeyList:
        """Return a page of the keys of this account's machines."""
        return key_list(self._farm, self._account, limit, before)

    def add_key(self, machine: str, scope: Scope = Scope.WORK) -> KeyMade:
        """Make a key for a machine of this account."""
        return key_made(accounts.add_key(self._farm, self._account.name, machine, scope))

    def revoke_key(self, key_id: int) -> None:
        """Revoke one key."""
        privacy.revoke_key(self._farm, self._account, key_id)

    def revoke_machine(self, machine: str) -> None:
        """Revoke all keys of a machine."""
        change_machine(self._farm, self._by, machine, REVOKE)

    def browsers(self, limit: int = 50, before: int | None = None) -> SignedInList:
        """Return a page of the browsers in which this account is signed in."""
        return signed_in_list(self._farm, self._account, limit, before)

    def sign_out(self, session_id: int) -> None:
        """Sign a browser out."""
        if not people.end_web_session(self._farm, self._account.id, session_id):
            raise NotFound("This account is not signed in in such a browser.")

    def invite(self, role: Role = Role.VOLUNTEER) -> str:
        """Make an invitation's code, which works once."""
        return people.invite(self._farm, self._account, role)

    def webhooks(self, limit: int = 50, after: int | None = None) -> WebhookList:
        """Return a page of this account's webhooks."""
        return webhook_list(self._farm, self._account, limit, after)

    def add_webhook(self, asked: WebhookAdded) -> WebhookMade:
        """Add a webhook; its secret is told now alone."""
        hook = webhooks.add_webhook(self._farm, self._account, wanted(asked))
        return webhook_made(hook, has_token=bool(asked.token))

    def remove_webhook(self, hook_id: int) -> None:
        """Remove a webhook of this account."""
        webhooks.remove_webhook(self._farm, self._account, hook_id)

    def try_webhook(self, hook_id: int) -> str:
        """Have the farm's house send a test to a webhook."""
        return webhooks.try_webhook(self._farm, self._account, hook_id)

    def enable_webhook(self, hook_id: int) -> WebhookOut:
        """Have a disabled webhook told again."""
        return webhook_out(webhooks.enable_webhook(self._farm, self._account, hook_id))

    def deliveries(self, hook_id: int, limit: int = 50, before: int | None = None) -> DeliveryList:
        """Return a page of what was sent to a webhook lately."""
        return delivery_list(self._farm, self._account, hook_id, limit, before)

    def teams(self, limit: int = 50, after: str = "") -> TeamList:
        """Return a page of the teams, those whose members earned most first."""
        return team_list(self._farm, limit, after)

    def team(self, name: str) -> TeamPage:
        """See a team with its members."""
        return team_page(teams.view_team(self._farm, name))

    def make_team(self, name: str) -> TeamOut:
        """Make a team that this account leads."""
        return team_out(teams.make_team(self._farm, self._account, name))

    def invite_to_team(self, name: str) -> str:
        """Make a link to join a team; where the farm's address is not set, its path."""
        code = teams.invite(self._farm, self._account, name)
        return f"{self._farm.settings.public_url.rstrip('/')}/invited/{code}"

    def join_team(self, invitation: str) -> TeamOut:
        """Have this account join the team that an invitation's code leads to."""
        return team_out(teams.join(self._farm, self._account, invitation))

    def remove_from_team(self, name: str, member: str) -> None:
        """Take a member out of a team, or leave it."""
        teams.remove(self._farm, self._account, name, member)

    def hand_over_team(self, name: str, member: str) -> TeamPage:
        """Have another member lead a team."""
        teams.hand_over(self._farm, self._account, name, member)
        return self.team(name)
