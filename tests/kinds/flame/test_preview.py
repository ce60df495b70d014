from pathlib import Path
from typing import Any

from sheepfold.kinds import pictures
from sheepfold.kinds.flame.preview import preview


def test_a_frame_is_made_small(loop: Any, tmp_path: Path) -> None:
    preview(loop.pictures[0].path, tmp_path / "p.jpg", 48)
    assert pictures.open_picture(tmp_path / "p.jpg").size == (48, 36)
