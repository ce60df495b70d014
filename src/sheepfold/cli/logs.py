"""How the log is written: lines for people, or JSON for programs that collect logs."""

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer


class LogForm(StrEnum):
    """How each line of the log is written."""

    PLAIN = "plain"
    JSON = "json"


class PlainLines(logging.Formatter):
    """Writes each message as one line, whatever strangers had in it: signs that nobody sees are written as escapes.

    A traceback follows on lines of its own.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- the library's name
        """Return a record's line."""
        line = super().formatMessage(record)
        return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in line)


class JsonLines(logging.Formatter):
    """Writes each message as one JSON object: when (UTC), level, who logs, the message, and a traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {"at": at, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def log_to_stderr(level: int, form: LogForm = LogForm.PLAIN) -> None:
    """Write the log to standard error, without what libraries chatter."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainLines("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler])
    for chatty in ("httpx", "httpcore", "alembic", "PIL"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    _use(form)


def _use(form: LogForm) -> LogForm:
    if form is LogForm.JSON:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
    return form


LogOption = Annotated[LogForm, typer.Option("--log", callback=_use, help="How the log's lines are written.")]
