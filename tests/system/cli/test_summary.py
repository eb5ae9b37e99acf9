"""The summary of a run: the goal in force at its end, and lines for a pipe."""

from __future__ import annotations

import pytest

from tercet.cli.run_record import RunRecord
from tercet.cli.summary import show_summary, summarise
from tests.integration.services.test_learning import ROUNDS, experience


def test_the_goal_is_the_one_in_force_at_the_end() -> None:
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
    assert "learned\t100.0 ms\t89.90 %\t" in lines


def evaluated(*policies: str) -> RunRecord:
    record = RunRecord()
    for number, policy in enumerate(policies, start=2):
        shown = experience(number, "d0@C", "d0@E", purpose="evaluate")
        record.add(shown.model_copy(update={"policy": policy}))
    return record


def test_a_fixed_policy_without_rounds_does_not_apply(capsys: pytest.CaptureFixture[str]) -> None:
    """Some node cannot run its option, so the evaluation skipped it."""
    summary = summarise(evaluated("greedy", "all edge", "all cloud", "profile"), "min")
    assert summary["fixed"]["all local"] == {
        "average_response_ms": None,
        "average_accuracy_pct": None,
        "reduction_pct": None,
        "applies": False,
    }
    assert summary["fixed"]["all edge"]["applies"]
    show_summary(summary, None)
    lines = capsys.readouterr().out.splitlines()
    assert "all local\t\u2013\t\u2013\tdoes not apply" in lines
    assert "all edge\t27.5 ms\t89.90 %\t0.0 %" in lines


def test_a_policy_that_was_not_evaluated_yet_is_left_out() -> None:
    assert set(summarise(evaluated("greedy"), "min")["fixed"]) == set()
