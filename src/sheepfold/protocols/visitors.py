"""Who visits: whose session a browser's cookie opens, what links to jobs it followed, and whose key a program sends."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sheepfold.farm import people
from sheepfold.farm.accounts import holder_of
from sheepfold.farm.farm import Farm
from sheepfold.farm.people import Visitor
from sheepfold.farm.sight import Viewer
from sheepfold.model.accounts import Account
from sheepfold.model.errors import BadCredentials

COOKIE = "sheepfold_web"
SHARES_COOKIE, MOST_SHARES = "sheepfold_shares", 8


def visitor_of(farm: Farm, request: Request) -> Visitor | None:
    """Return who asks, None for a visitor who did not sign in."""
    token = token_in(request)
    return people.visitor_of(farm, token) if token else None


def account_by_key(farm: Farm, request: Request) -> Account | None:
    """Return whose machine key came in `Authorization: Bearer KEY`, None where none did that the farm knows."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    try:
        return holder_of(farm, key.strip()).account if scheme.lower() == "bearer" else None
    except BadCredentials:
        return None


def token_in(request: Request) -> str:
    """Return the token of a browser's session, empty where it has none."""
    return request.cookies.get(COOKIE, "")[:200]


def viewer_of(visitor: Visitor | None, request: Request) -> Viewer:
    """Return who looks, with the links that they followed."""
    return Viewer(None if visitor is None else visitor.account, shares_of(request))


def shares_of(request: Request) -> tuple[str, ...]:
    """Return the tokens of the links that this browser followed."""
    held = request.cookies.get(SHARES_COOKIE, "")[:1000].split(".")
    return tuple(token for token in held if token)[:MOST_SHARES]


def to_sign_in(request: Request) -> Response:
    """Send a visitor to sign in, and back to the page that they asked for."""
    return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", 303, {"Cache-Control": "no-store"})
