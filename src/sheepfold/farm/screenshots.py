"""Screenshots for those who ordered them: how far a group of requests is, the pictures, and smaller ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter

from sheepfold.blobs.spool import Digest
from sheepfold.farm.dispatch import Input, open_blob
from sheepfold.farm.farm import Farm
from sheepfold.farm.keeping import name_blob
from sheepfold.farm.passing import passing_folder
from sheepfold.farm.sight import Viewer, may_see
from sheepfold.kinds.screenshot.spec import View, views
from sheepfold.kinds.screenshot.split import needs_of
from sheepfold.model.browsers import ACTIVE_S, Factory, abilities_of, wire_name
from sheepfold.model.errors import UndecodablePicture, UnknownBlob, UnknownJob
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.matching import Abilities, Needs, satisfies
from sheepfold.model.tasks import Soundness, TaskState, Verdict
from sheepfold.store import browsers as browser_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store import visits as visit_rows
from sheepfold.store.database import Tx
from sheepfold.store.visits import Screenshot
from sheepfold.store.visits import View as ViewRow

WIDTHS = (512, 160)
"""Of the smaller copies, in pixels (protocol note, section 3.4)."""
LOADING_S, STARTING_S = 45, 60
"""What the old service added for what was still to come (protocol note, requests.status)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one request of a group is, in the old service's words; a shot that is done has a name."""

    browser: str
    status: str
    seconds: int
    hashkey: str = ""


def group_status(farm: Farm, job_id: JobId, protocol: str) -> list[Progress]:
    """Return how far each request of an order is; raises UnknownJob, for a private one too: nobody says who asks."""
    now = farm.now()

    def read(tx: Tx) -> tuple[Job, list[ViewRow], list[Screenshot], list[Factory]]:
        job = None if visit_rows.find_visit(tx, job_id) is None else job_rows.job_of(tx, job_id)
        if job is None or job.private_at is not None:
            raise UnknownJob("Request group not found.")
        shots = [one for one in visit_rows.screenshots_of_job(tx, job_id) if one.verdict is Verdict.VALID]
        return job, visit_rows.views_of_job(tx, job_id), shots, browser_rows.list_factories(tx, now - ACTIVE_S)

    job, rows, shots, factories = farm.db.read(read)
    seen = views(job.spec)
    first = {shot.task_id: shot for shot in reversed(shots)}
    estimates = Estimates((one, abilities_of(one, protocol, now)) for one in factories)
    return [_progress(job, seen[row.frame], row, first.get(row.task_id), estimates) for row in rows]


class Estimates:
    """How long the quickest of some factories that could make a view needed of late."""

    def __init__(self, factories: Iterable[tuple[Factory, Abilities]]) -> None:
        known = [(one.queue_estimate_s, able) for one, able in factories if one.queue_estimate_s is not None]
        self._quickest_first = sorted(known, key=itemgetter(0))
        self._found: dict[Needs, int] = {}

    def of(self, needs: Needs) -> int:
        """Return it in seconds for a view of these needs, 0 where nothing is known."""
        if needs not in self._found:
            able = (seconds for seconds, abilities in self._quickest_first if satisfies(abilities, needs))
            self._found[needs] = next(able, 0)
        return self._found[needs]


def _progress(job: Job, view: View, row: ViewRow, shot: Screenshot | None, estimates: Estimates) -> Progress:
    name = wire_name(view.platform, view.browser, view.version)
    if shot is not None:
        return Progress(name, "uploaded", shot.uploaded_at - job.created_at, shot.hashkey)
    if row.granted_at is not None:
        visited_at = row.figures.get("visited_at")
        if isinstance(visited_at, int):
            return Progress(name, "loading", visited_at - job.created_at + LOADING_S)
        return Progress(name, "starting", row.granted_at - job.created_at + STARTING_S)
    if row.state is TaskState.DONE:  # by a worker of another wire, which gives pictures no such names
        return Progress(name, "uploaded", (row.submitted_at or job.created_at) - job.created_at)
    if row.state is not TaskState.OPEN or row.has_expired:
        return Progress(name, "failed", 0)
    return Progress(name, "pending", estimates.of(needs_of(job.spec, view)))


def list_screenshots(farm: Farm, limit: int) -> list[Screenshot]:
    """Return the newest valid screenshots."""
    return farm.db.read(lambda tx: visit_rows.recent_screenshots(tx, limit))


def find_screenshot(farm: Farm, viewer: Viewer, hashkey: str) -> Screenshot:
    """Return the screenshot of a name; raises UnknownBlob, also where this viewer may not see its job."""

    def find(tx: Tx) -> Screenshot | None:
        shot = visit_rows.find_screenshot(tx, hashkey)
        return shot if shot is not None and may_see(tx, viewer, shot.job_id) else None

    found = farm.db.read(find)
    if found is None:
        raise UnknownBlob(f"There is no screenshot {hashkey[:40]!r}.")
    return found


def siblings(farm: Farm, shot: Screenshot) -> list[Screenshot]:
    """Return all valid screenshots of the same order; who may see one may see them all."""
    return [one for one in farm.db.read(lambda tx: visit_rows.screenshots_of_job(tx, shot.job_id))
            if one.verdict is Verdict.VALID]


def view_of(farm: Farm, shot: Screenshot) -> View:
    """Return what was asked for with a screenshot."""
    task = farm.db.read(lambda tx: task_rows.load(tx, shot.task_id, lock=False))
    return views(farm.db.read(lambda tx: job_rows.job_of(tx, shot.job_id)).spec)[task.frame]


def open_screenshot(farm: Farm, viewer: Viewer, hashkey: str, width: int = 0) -> tuple[str, Input] | None:
    """Open a screenshot, or its smaller copy of a width, with its media type; raises as `find_screenshot` does.

    What could not be decoded is not handed out. None for a copy that `make_small` has not made yet.
    """
    shot = find_screenshot(farm, viewer, hashkey)
    if shot.soundness is Soundness.UNDECODABLE:
        raise UnknownBlob(f"The screenshot {hashkey} cannot be read.")
    if not width:
        return shot.media_type, open_blob(farm, shot.digest)
    known = farm.db.read(lambda tx: visit_rows.find_thumbnail(tx, shot.digest, width))
    return None if known is None else ("image/png", open_blob(farm, known))


def make_small(farm: Farm, viewer: Viewer, hashkey: str, width: int) -> None:
    """Make a screenshot's smaller copy of a width, unless somebody has; raises as `find_screenshot` does, Overloaded
    and Unavailable. A picture may take as long as an inspection.
    """
    shot = find_screenshot(farm, viewer, hashkey)
    if farm.db.read(lambda tx: visit_rows.find_thumbnail(tx, shot.digest, width)) is not None:
        return
    with passing_folder(farm, "small") as folder:
        try:
            small = farm.inspector.shrink(farm.blobs.local_path(Digest(shot.digest), folder), width)
        except UndecodablePicture as error:
            raise UnknownBlob(str(error)) from error
        except FileNotFoundError as error:
            raise UnknownBlob(f"The screenshot {hashkey} was cleared just now.") from error
    blob = farm.blobs.keep_bytes(small)

    def save(tx: Tx) -> None:
        name_blob(tx, blob, farm.now())
        visit_rows.set_thumbnail(tx, shot.digest, width, blob.digest)

    farm.db.write(save)

