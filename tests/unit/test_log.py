"""The log of a process: one JSON object a line, with the facts of the process in each."""

from __future__ import annotations

import json
import subprocess
import sys

PROCESS = """
import logging, sys
from tercet.process import log
early = log.get("early")
log.configure("monitor", LEVEL, node="cam-1")
early.info("started", answer=42)
assert ("structlog" in sys.modules) is (LEVEL == "INFO")
logging.getLogger("library").warning("a warning of %s", "others")
early.error("failed", service="of the event")
try:
    1 / 0
except ZeroDivisionError:
    log.get("late").exception("raised")
"""


def records(level: str) -> list[dict]:
    done = subprocess.run(
        [sys.executable, "-c", f"LEVEL = {level!r}\n{PROCESS}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_each_record_is_one_json_object_with_the_facts_of_the_process() -> None:
    started, foreign, failed, raised = records("INFO")
    assert (started["event"], started["answer"], started["level"]) == ("started", 42, "info")
    assert foreign["event"] == "a warning of others"
    assert "ZeroDivisionError" in raised["exception"]
    assert {r["node"] for r in (started, foreign, failed, raised)} == {"cam-1"}
    assert [r["service"] for r in (started, foreign, failed)] == ["monitor"] * 2 + ["of the event"]
    assert all(r["timestamp"].endswith("Z") for r in (started, foreign, failed, raised))


def test_records_below_the_level_are_not_written_and_import_nothing() -> None:
    assert [record["event"] for record in records("ERROR")] == ["failed", "raised"]
