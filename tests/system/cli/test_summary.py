"""The summary of a run: the goal in force, and lines for a pipe."""

from __future__ import annotations

import pytest

from tercet.cli.run_record import RunRecord
from tercet.cli.summary import show_summary, summarise
from tests.integration.services.test_learning import ROUNDS


def test_the_goal_is_the_one_in_force_in_the_end() -> None:
    record = RunRecord()
    assert summarise(record, "85")["goal"] == "85"
    record.add(ROUNDS[0].model_copy(update={"goal": "85"}))
    record.add(ROUNDS[1].model_copy(update={"goal": "80"}))
    assert summarise(record, "85")["goal"] == "80"


def test_in_a_pipe_tables_are_tab_separated(capsys: pytest.CaptureFixture[str]) -> None:
    record = RunRecord()
    record.add(ROUNDS[0])
    show_summary(summarise(record, "min"), None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["# Learned in 1 rounds, goal min", "device\toption"]
    assert "learned\t100.0 ms\t80.00 %\t" in lines
