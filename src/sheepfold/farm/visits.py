"""Orders of screenshots: which pages may be visited, and how often."""

from urllib.parse import urldefrag

from sheepfold.farm import sites
from sheepfold.farm.farm import Farm
from sheepfold.kinds.seam import Spec
from sheepfold.model.accounts import Account, Role
from sheepfold.model.errors import Forbidden
from sheepfold.model.jobs import Job
from sheepfold.store import visits as visit_rows
from sheepfold.store.database import Tx
from sheepfold.store.visits import Visit

DAY_S = 86_400


def check_visit(farm: Farm, account: Account, spec: Spec, *, is_private: bool) -> None:
    """Check where an order leads, before it is taken; raises InvalidSpec or Forbidden with a sentence."""
    del is_private  # a page that others may not see counts like any other
    if account.role is not Role.OWNER:  # before the site is asked anything: beyond a limit nobody is called
        farm.db.read(lambda tx: _check_limits(tx, farm, account, spec["url"]))
    sites.check_site(sites.rules_of(farm.settings), spec["url"])


def _check_limits(tx: Tx, farm: Farm, account: Account, url: str) -> None:
    """Refuse what is more than the owner allows in 24 hours (protocol note, section 4.4)."""
    settings, since = farm.settings, farm.now() - DAY_S
    pages = visit_rows.urls_of_domain(tx, sites.domain_of(url), since)
    counts = (
        (settings.screenshot_site_limit, sum(_page(one) == _page(url) for one in pages), "of this page"),
        (settings.screenshot_domain_limit, len(pages), f"of pages of {sites.domain_of(url)[:80]}"),
        (settings.screenshot_account_limit, visit_rows.count_of_account(tx, account.id, since), f"by {account.name}"),
    )
    for limit, count, what in counts:
        if limit and count >= limit:
            raise Forbidden(f"There were {count} orders {what} in the last 24 hours; more are refused.")


def _page(url: str) -> str:
    return urldefrag(url).url


def note_visit(tx: Tx, job: Job) -> None:
    """Note where an order leads, in the transaction that takes it."""
    url, life_s = job.spec["url"], job.spec["expire_s"]
    expires_at = job.created_at + life_s if life_s else None
    visit_rows.add_visit(tx, Visit(job.id, job.account_id, url, sites.domain_of(url), job.created_at, expires_at))
