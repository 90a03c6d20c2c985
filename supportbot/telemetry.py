"""Logging: one JSON object a line on standard error, secrets masked, no text of conversations."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
SECRET_SHAPES = re.compile(
    r"\b(?:sk|xox[a-z]|xapp|rk|ghp)-[A-Za-z0-9-]{6,}|(?i:bearer\s+)[A-Za-z0-9._~+/=-]{6,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
NOISY = (
    *("aiosqlite", "alembic", "chromadb", "httpx", "httpx2", "openai"),
    *("sentence_transformers", "slack_bolt", "slack_sdk", "transformers", "uvicorn"),
)


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON and masks what is, or looks like, a secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._known = tuple(secret for secret in secrets if secret)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record and its extra fields as one JSON object on one line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {key: value for key, value in vars(record).items() if key not in STANDARD}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return self.mask(json.dumps(entry, default=str))

    def mask(self, text: str) -> str:
        """Return the text with every secret replaced by `***`."""
        for secret in self._known:
            text = text.replace(json.dumps(secret)[1:-1], "***")
        return SECRET_SHAPES.sub("***", text)


def configure_logging(level: str, secrets: Iterable[str] = ()) -> None:
    """Send all logs to standard error as JSON lines; libraries only from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
