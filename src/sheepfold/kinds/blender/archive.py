"""A project as SheepIt's clients download it: the zip that it came as, or a .blend packed into one."""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from sheepfold.kinds.blender.project import SCENE, look_into, only
from sheepfold.kinds.seam import Archive, Spec

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every file in an archive that the farm makes, so that the same bytes make the same archive."""

_PACKED = (b"\x28\xb5\x2f\xfd", b"\x1f\x8b")
"""How a .blend begins that Blender has compressed by Zstandard or gzip: packing it again would only take time."""


def pack(inputs: Mapping[str, Path], spec: Spec, folder: Path) -> Archive:
    """Return a project's archive, written to `folder` where it is made; raises InvalidSpec with a sentence."""
    project = only(inputs)
    contents = look_into(project, spec.get("main", ""))
    if contents.files:
        return Archive(project, contents.main)
    return Archive(_zipped(project, folder / "archive.zip"), SCENE)


def _zipped(blend: Path, target: Path) -> Path:
    """Pack a .blend into a zip that can be sought in, since the oldest clients want the sizes before the bytes."""
    with blend.open("rb") as file:
        is_packed = file.read(4).startswith(_PACKED)
    entry = zipfile.ZipInfo(SCENE, EPOCH)
    entry.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    entry.file_size = blend.stat().st_size
    with zipfile.ZipFile(target, "w") as archive, archive.open(entry, "w") as packed, blend.open("rb") as file:
        shutil.copyfileobj(file, packed, 1024 * 1024)
    return target
