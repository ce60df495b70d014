"""Uploads that may be interrupted: a file announced by its size and digest, which grows until an order names it.

Each is a folder in the spool, so that it outlives the server: what was told of it, and the bytes so far. Who announces
the same file again goes on with it. An order does not use it up; upkeep removes it a day after its last
byte, or after it was last announced or ordered.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from sheepfold.blobs.spool import CHUNK_BYTES, Spooled, parse_digest, spooled_already, translated_os_errors
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account, AccountId
from sheepfold.model.errors import Conflict, IncompleteUpload, TooLarge, UnknownBlob

MOST_UPLOADS = 16
"""How many an account may have under way: each may be as large as an input."""
MOST_WHOLE = 200
"""How many whole ones it may have in a day, which is each save of a long day's work."""
LARGEST_INPUTS = 32
"""How many inputs as large as the farm takes all uploads of an account may make up together."""
_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way: what it is to become, and how many bytes of it are here."""

    id: str
    account_id: AccountId
    size_bytes: int
    sha256: str
    offset_bytes: int = 0

    @property
    def is_whole(self) -> bool:
        """Say whether all its bytes are here."""
        return self.offset_bytes == self.size_bytes


class Appender:
    """Writes what comes for an upload; no more than was announced."""

    def __init__(self, file: int, room_bytes: int) -> None:
        self._file = file
        self._room_bytes = room_bytes

    def write(self, chunk: bytes) -> None:
        """Append bytes; raises TooLarge before one that was not announced."""
        if len(chunk) > self._room_bytes:
            raise TooLarge(f"{self._room_bytes} bytes of this upload are missing; at least {len(chunk)} came.")
        self._room_bytes -= len(chunk)
        view = memoryview(chunk)
        with translated_os_errors("write an upload"):
            while view:
                view = view[os.write(self._file, view) :]


def create_upload(farm: Farm, account: Account, size_bytes: int, sha256: str) -> Upload:
    """Announce a file; the upload of the same file by the same account is returned where there is one.

    Raises TooLarge beyond the limit of inputs, UnknownBlob for a digest that is none, and Conflict where an account
    has MOST_UPLOADS under way, MOST_WHOLE whole ones, or as many bytes as LARGEST_INPUTS.
    """
    digest = parse_digest(sha256)
    if size_bytes > farm.settings.input_limit_bytes:
        raise TooLarge(f"At most {farm.settings.input_limit_bytes} bytes are taken; {size_bytes} were announced.")
    own = [one for one in _all(farm) if one.account_id == account.id]
    for one in own:
        if (one.sha256, one.size_bytes) == (digest, size_bytes) and _renew(farm, one):
            return one
    _check_room(own, size_bytes, LARGEST_INPUTS * farm.settings.input_limit_bytes)
    made = Upload(farm.token(), account.id, size_bytes, digest)
    with translated_os_errors("begin an upload"):
        folder = _root(farm) / made.id
        folder.mkdir(parents=True)
        (folder / "bytes").touch()
        told = folder / "told.part"
        told.write_text(json.dumps(asdict(made)), "utf-8")
        told.replace(folder / "told.json")
    return made


def _check_room(own: list[Upload], size_bytes: int, most_bytes: int) -> None:
    whole = sum(one.is_whole for one in own)
    if len(own) - whole >= MOST_UPLOADS:
        raise Conflict(f"{MOST_UPLOADS} uploads of this account are under way; finish or remove one.")
    if whole >= MOST_WHOLE:
        raise Conflict(f"{MOST_WHOLE} uploads of this account are kept for a day; remove one, or wait.")
    if sum(one.size_bytes for one in own) + size_bytes > most_bytes:
        raise Conflict(f"All uploads of this account may have {most_bytes} bytes; remove one, or wait for a day.")


def _renew(farm: Farm, known: Upload) -> bool:
    """Begin the day of an upload anew; False where it was removed just now."""
    now = farm.now()
    try:
        os.utime(_bytes(farm, known), (now, now))
    except FileNotFoundError:
        return False
    return True


def keep_upload(farm: Farm, account: Account, spooled: Spooled) -> Upload:
    """Make a whole upload of a file that is here, so that orders and looks at them may name it; raises as
    `create_upload` does, and Conflict while the same file is on its way otherwise.
    """
    made = create_upload(farm, account, spooled.size_bytes, spooled.sha256)
    if made.is_whole:
        return made
    with appending(farm, account, made.id, made.offset_bytes) as appender, spooled.path.open("rb") as file:
        file.seek(made.offset_bytes)
        while chunk := file.read(CHUNK_BYTES):
            appender.write(chunk)
    return find_upload(farm, account, made.id)


def find_upload(farm: Farm, account: Account, upload_id: str) -> Upload:
    """Return an upload of an account; raises UnknownBlob, also where it is another's."""
    found = _read(_root(farm) / upload_id) if _NAME.fullmatch(upload_id) else None
    if found is None or found.account_id != account.id:
        raise _unknown(upload_id)
    return found


def _unknown(upload_id: str) -> UnknownBlob:
    return UnknownBlob(f"There is no upload {upload_id[:80]!r}; it may have been removed a day after its last use.")


@contextmanager
def appending(farm: Farm, account: Account, upload_id: str, offset_bytes: int) -> Iterator[Appender]:
    """Go on with an upload at an offset, which must be its end; what is written stays, however the block ends.

    Raises UnknownBlob, and Conflict where the offset is another, or somebody else is writing. A whole one, which is
    read-only once an order has named it, is not opened for writing.
    """
    found = find_upload(farm, account, upload_id)
    with _while_it_is_there(farm, found):
        file = os.open(_bytes(farm, found), os.O_RDONLY if found.is_whole else os.O_WRONLY | os.O_APPEND)
    try:
        with _alone(file, found.id):
            at = os.fstat(file).st_size
            if at != offset_bytes:
                raise Conflict(f"Upload {found.id} goes on at byte {at}, not {offset_bytes}.")
            yield Appender(file, found.size_bytes - at)
    finally:
        os.close(file)


def settle_upload(farm: Farm, account: Account, upload_id: str) -> Upload:
    """Return an upload to which bytes were appended, its digest proven where they were the last ones.

    Raises UnknownBlob, and IncompleteUpload for another digest than was announced: then the upload is removed.
    """
    found = find_upload(farm, account, upload_id)
    if found.is_whole:
        _prove(farm, account, found)
    return found


@contextmanager
def uploaded_file(farm: Farm, account: Account, upload_id: str) -> Iterator[Path]:
    """Yield the file of a whole upload, its digest proven, for another day.

    Raises UnknownBlob, also where the upload is removed while the block reads it, and IncompleteUpload.
    """
    found = find_upload(farm, account, upload_id)
    if not found.is_whole:
        raise IncompleteUpload(f"Upload {found.id} has {found.offset_bytes} of its {found.size_bytes} bytes.")
    _renew(farm, found)
    with _while_it_is_there(farm, found):
        yield _prove(farm, account, found)


@contextmanager
def _while_it_is_there(farm: Farm, found: Upload) -> Iterator[None]:
    """Turn a missing file into UnknownBlob where it is that of an upload, which its owner has just removed."""
    try:
        yield
    except FileNotFoundError as error:
        if _bytes(farm, found).exists():
            raise
        raise _unknown(found.id) from error


def _prove(farm: Farm, account: Account, whole: Upload) -> Path:
    path = _bytes(farm, whole)
    digest = spooled_already(path).sha256
    if digest != whole.sha256:
        drop_upload(farm, account, whole.id)
        raise IncompleteUpload(f"Upload {whole.id} has the digest {digest}, not {whole.sha256}; send it anew.")
    return path


def drop_upload(farm: Farm, account: Account, upload_id: str) -> None:
    """Remove an upload; raises UnknownBlob."""
    found = find_upload(farm, account, upload_id)
    shutil.rmtree(_root(farm) / found.id, ignore_errors=True)


def sweep_uploads(farm: Farm) -> int:
    """Remove uploads that nobody has gone on with for a day; returns how many."""
    limit = farm.now() - farm.settings.orphan_blob_age_s
    swept = 0
    for folder in _folders(farm):
        with suppress(FileNotFoundError):
            written = folder / "bytes"
            if (written if written.exists() else folder).stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
                swept += 1
    return swept


def _root(farm: Farm) -> Path:
    return farm.spool_folder / "uploads"


def _bytes(farm: Farm, upload: Upload) -> Path:
    return _root(farm) / upload.id / "bytes"


def _folders(farm: Farm) -> list[Path]:
    root = _root(farm)
    return sorted(root.iterdir()) if root.is_dir() else []


def _all(farm: Farm) -> list[Upload]:
    return [found for found in map(_read, _folders(farm)) if found is not None]


def _read(folder: Path) -> Upload | None:
    """Return what is known of an upload; None where it is gone, or was not begun in full."""
    try:
        told = json.loads((folder / "told.json").read_text("utf-8"))
        return Upload(**told | {"offset_bytes": (folder / "bytes").stat().st_size})
    except (FileNotFoundError, ValueError, TypeError):
        return None


@contextmanager
def _alone(file: int, upload_id: str) -> Iterator[None]:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Conflict(f"Upload {upload_id} is being written to by another request.") from error
    yield
