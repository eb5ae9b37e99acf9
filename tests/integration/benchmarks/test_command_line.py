"""The command line: the verb `learn`, environments by name, one-line errors."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.learn import make_environment
from tercet.process import log
from tercet.sim import scenarios
from tercet.sim.world import World


def three_users() -> World:
    return scenarios.paper("C", 3)


def test_an_environment_is_made_from_its_name_and_bad_names_are_rejected() -> None:
    assert make_environment(f"{__name__}:three_users").platform.devices == ("S1", "S2", "S3")
    for spec in (
        "nonsense",
        "no.such.module:x",
        "tercet.sim.scenarios:nothing",
        "tercet.sim.scenarios:LINKS",
    ):
        with pytest.raises(ValueError, match=r"env|environment"):
            make_environment(spec)


def run_benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_learn_prints_one_json_object_per_step() -> None:
    result = run_benchmarks("learn", "--users", "2", "--steps", "3", "--goal", "85", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3] and result.returncode == 0
    assert {"step", "regret", "exact", "accuracy_pct", "response_ms", "seed"} < {*lines[0]}
    assert all(np.isfinite(line["response_ms"]) for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("learn", "--goal", "850"), "goal must be min, max or a number 0..100"),
        (("learn", "--agent", "nobody"), "invalid choice"),
        (("learn", "--env", "nowhere:x"), "cannot make an environment"),
        (("learn", "--steps", "0"), "whole number from 1"),
        (("learn", "--agent", "adadeep", "--users", "9"), "too many to enumerate"),
        (("table6", "--cap", "nan"), "number above 0"),
        (("table6", "--jobs", "0"), "whole number from 1"),
    ],
)
def test_bad_input_is_one_line_and_status_two(arguments, message, capsys, monkeypatch) -> None:
    monkeypatch.setattr(log, "configure", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    stderr = capsys.readouterr().err
    assert ended.value.code == 2 and message in stderr
    assert len(stderr.strip().splitlines()) == 1


def test_a_missing_extra_is_one_line_and_status_two(capsys, monkeypatch) -> None:
    monkeypatch.setattr(log, "configure", lambda *_: None)
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(SystemExit) as ended:
        main(["peers", "--fresh", "--goal", "85", "--seeds", "1"])
    assert ended.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == "benchmarks: stable_baselines3 is not installed: pip install -e '.[peers]'"


def test_bad_input_ends_the_process_with_status_two() -> None:
    result = run_benchmarks("nothing")
    assert result.returncode == 2 and "invalid choice" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
