"""Log records as lines of JSON, for collectors: a formatter, and what lets a process write with it."""

import json
import logging
import re
from datetime import UTC, datetime

CONSOLE = "%(asctime)s %(levelname)s %(name)s %(message)s"
_PAIR = re.compile(r"\b([a-z_]+)=(\"[^\"]*\"|'[^']*'|\S+)")


class JsonLines(logging.Formatter):
    """One JSON object a record: time (RFC 3339, UTC), level, logger, message, and every `key=value` of the message, so
    that what a line says of `run`, `segment` and `worker` can be searched for."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        message = record.getMessage()
        line = {key: value.strip("\"'").rstrip(",;:") for key, value in _PAIR.findall(message)}
        line |= {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def formatter(form: str) -> logging.Formatter:
    """Return how records are written: "json", or anything else for lines that people read."""
    return JsonLines() if form == "json" else logging.Formatter(CONSOLE)


def set_up(level: int, form: str) -> None:
    """Let this process log to stderr; once, at its start.

    Args:
        level: the lowest that is written, as in `logging`.
        form: see `formatter`; processes take it from BURSTLINE_LOG.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(form))
    logging.basicConfig(level=level, handlers=[handler])
