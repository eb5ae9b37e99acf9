"""Structured logs: one JSON object per line on stderr, for our records and our libraries'."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

import structlog

TAIL_BYTES = 64 * 1024
"""Bytes at the end of a log file in which its last record is looked for."""


def configure(service: str, level: str = "INFO", **facts: str) -> None:
    """Send every log record of this process to stderr as JSON; each one carries `facts`."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    structlog.contextvars.bind_contextvars(service=service, **facts)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of one module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


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
