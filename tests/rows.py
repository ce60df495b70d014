"""What a farm has kept, row by row: what a request changes of it, and all as it was before."""

import shutil
import sqlite3
from typing import Any

from sheepfold.farm.farm import Farm


class Rows:
    """The rows of a farm on SQLite, and the uploads that it keeps beside them, as they were when this was made."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._uploads = farm.spool_folder / "uploads"
        self._database = sqlite3.connect(farm.settings.data / "farm.sqlite")
        self._copy = sqlite3.connect(":memory:")
        self._database.backup(self._copy)
        self._version = self._seen()
        self.before = set(self._database.iterdump())

    def undo(self) -> set[str]:
        """Return the rows and uploads that have come or gone since, and have all as it was."""
        changed = {path.name for path in self._uploads.glob("*")}
        if self._seen() != self._version:
            changed |= self.before ^ set(self._database.iterdump())
            self._copy.backup(self._database)
            self._version = self._seen()
        shutil.rmtree(self._uploads, ignore_errors=True)
        self._farm.tries._wrong.clear()
        return changed

    def ask(self, question: str) -> Any:
        """Return the first column of the first row that answers a question in SQL."""
        return self._database.execute(question).fetchone()[0]

    def close(self) -> None:
        self._copy.close()
        self._database.close()

    def _seen(self) -> int:
        """Return a number that is another one as soon as anybody else has written."""
        return self.ask("PRAGMA data_version")
