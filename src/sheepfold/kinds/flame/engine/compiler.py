"""The compiler as a program: a structure's file in, its kernel out, into `cpu.cache_folder()`; it sees no genome."""

import json
import sys
from pathlib import Path

from sheepfold.kinds.flame.engine import blueprint, cpu


def main(path: Path) -> None:
    """Compile the structure that a file of JSON tells of; raises ValueError where it is none."""
    cpu.compile_ahead(blueprint.read(json.loads(path.read_text("utf-8"))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
