"""Structured logs: one JSON object per line on stderr, for our records and our libraries'."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import MutableMapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import structlog

TAIL_BYTES = 64 * 1024
"""Bytes at the end of a log file in which its last record is looked for."""


def configure(service: str, level: str = "INFO", **facts: str) -> None:
    """Send every log record of this process to stderr as JSON; each one carries `facts`."""
    _formatter.cache_clear()
    _facts.clear()
    _facts.update({"service": service, **facts})
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LazyFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of one module."""
    return cast("structlog.stdlib.BoundLogger", _LazyLogger(name))


_facts: dict[str, str] = {}


class _LazyLogger:
    """Imports structlog with the first record: it is slow to import, and many verbs log nothing."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._logger: structlog.stdlib.BoundLogger | None = None

    def __getattr__(self, attribute: str) -> Any:
        if self._logger is None:
            if _facts:  # The process has called `configure`.
                level = logging.getLevelNamesMapping().get(attribute.upper(), logging.CRITICAL)
                if not logging.getLogger(self._name).isEnabledFor(level):
                    return _ignore
                _formatter()
            import structlog

            self._logger = structlog.stdlib.get_logger(self._name)
        return getattr(self._logger, attribute)


def _ignore(event: str, **fields: object) -> None:
    """Take a record below the level of the log."""


class _LazyFormatter(logging.Formatter):
    """Formats records of all libraries as structlog does, which it imports with the first one."""

    def format(self, record: logging.LogRecord) -> str:
        return _formatter().format(record)


@cache
def _formatter() -> logging.Formatter:
    """Configure structlog, once; return the formatter of its records and of others."""
    import structlog

    def with_facts(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**_facts, **event}

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        with_facts,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )


def last_reason(file: Path) -> str:
    """Return the `reason` or event of the last record in a log file, or its last line as it is.

    Reads the end of the file only, however long the file is.
    """
    try:
        with file.open("rb") as source:
            source.seek(max(source.seek(0, os.SEEK_END) - TAIL_BYTES, 0))
            text = source.read(TAIL_BYTES).decode(errors="replace")
    except OSError:
        text = ""
    # The traceback of an exception group is drawn in a frame of these characters.
    lines = [line for line in text.splitlines() if line.strip(" |+-")]
    if not lines:
        return "its log is empty"
    try:
        record = json.loads(lines[-1])
        return str(record.get("reason") or record.get("event"))
    except (ValueError, AttributeError):
        return lines[-1]
