"""The policy process answers, is started again when killed, and ends with its parent."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tercet.rl.explanation_data import Reasons
from tercet.rl.options import Option
from tercet.schemas.fleet import Condition
from tercet.services.orchestrator.decide import remote_call
from tercet.services.orchestrator.decide.policy import Policy
from tercet.services.orchestrator.decide.policy_interface import DecisionContext, Rejected
from tercet.services.orchestrator.decide.policy_process import (
    INTERFACE,
    PolicyProcess,
    policy_process,
)
from tercet.services.orchestrator.decide.policy_worker import main
from tercet.services.orchestrator.decide.remote_call import (
    CallFailed,
    Frame,
    MalformedFrame,
    read_frame,
)
from tercet.services.orchestrator.decide.schedule import GREEDY
from tests.integration.services.fixtures import context, fleet, trained_on


async def choice(process: PolicyProcess, name: str = GREEDY) -> dict[str, str]:
    return await process.choose(name, context(goal="min")) or {}


def process_of(process: PolicyProcess) -> int:
    assert process._process is not None
    return process._process.pid


async def test_a_killed_process_is_started_again_with_its_parameters() -> None:
    async with policy_process(seed=0) as process:
        await process.adopt(7, trained_on(fleet()))
        before, first = await choice(process), process_of(process)
        os.kill(first, signal.SIGKILL)
        assert await choice(process) == before
        assert process_of(process) != first
        assert process.version == 7


async def test_malformed_parameters_leave_those_in_force() -> None:
    async with policy_process(seed=0) as process:
        await process.adopt(7, trained_on(fleet()))
        before = await choice(process)
        with pytest.raises(ValueError, match="safetensors"):
            await process.adopt(8, b"not safetensors")
        assert process.version == 7
        assert await choice(process) == before


async def test_forgotten_parameters_are_not_used() -> None:
    async with policy_process(seed=0) as process:
        untrained = await choice(process)
        await process.adopt(7, trained_on(fleet()))
        await process.forget()
        assert process.version is None
        assert await choice(process) == untrained


PARENT = """
import asyncio
from tercet.services.orchestrator.decide.policy_process import policy_process

async def main():
    async with policy_process(seed=0) as process:
        print(process._process.pid, flush=True)
        await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(500):
        if not alive(child):
            return
        time.sleep(0.01)
    pytest.fail("the policy process outlived its parent")


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


CHOOSE = {"method": "choose", "name": GREEDY, "context": {"fleet": {}, "active": []}}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"not json", "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (
            json.dumps({"method": "__init__"}).encode(),
            "'__init__' found using 'method' does not match",
        ),
        (json.dumps({"method": "exploration_budget", "more": 1}).encode(), "more"),
        (json.dumps({"method": "adopt", "version": "x"}).encode(), "version"),
        (json.dumps(CHOOSE).encode(), "context.fleet.devices"),
    ],
)
def test_a_malformed_question_is_refused_and_the_worker_goes_on(header: bytes, reason: str) -> None:
    answers = worked([Frame(header).packed(), good_question()])
    with pytest.raises(CallFailed, match=f"(?s)MalformedFrame: .*{reason}"):
        INTERFACE.calls["choose"].result(answers[0], INTERFACE.errors)
    assert INTERFACE.calls["exploration_budget"].result(answers[1], {}) == (None, 0)


def test_pickled_code_is_refused_and_not_executed(tmp_path: Path) -> None:
    made = tmp_path / "made"
    bomb = pickle.dumps(Bomb(made))
    adopt = INTERFACE.calls["adopt"]
    answers = worked([Frame(bomb).packed(), adopt.question(1, bomb).packed(), good_question()])
    with pytest.raises(CallFailed, match="MalformedFrame"):
        adopt.result(answers[0], INTERFACE.errors)
    with pytest.raises(ValueError, match="safetensors"):
        adopt.result(answers[1], INTERFACE.errors)
    assert INTERFACE.calls["exploration_budget"].result(answers[2], {}) == (None, 0)
    assert not made.exists()
    pickle.loads(bomb)
    assert made.exists()  # The bomb works.


def test_a_frame_that_is_too_large_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_call, "MAX_BYTES", 100)
    answers = worked([Frame(b"x" * 200).packed(), good_question()])
    with pytest.raises(CallFailed, match="MalformedFrame: a frame of 200 bytes"):
        INTERFACE.calls["choose"].result(answers[0], INTERFACE.errors)
    assert INTERFACE.calls["exploration_budget"].result(answers[1], {}) == (None, 0)


def test_an_answer_to_another_question_is_refused() -> None:
    answer = Frame(b'{"value": {"a": 1}}')
    with pytest.raises(MalformedFrame, match="answer to choose"):
        INTERFACE.calls["choose"].result(answer.header, INTERFACE.errors)


def test_errors_keep_their_type_and_text() -> None:
    for error, kind in ((Rejected("worse"), Rejected), (ValueError("no"), ValueError)):
        header = INTERFACE.failure(error).header
        with pytest.raises(kind, match=str(error)):
            INTERFACE.calls["adopt"].result(header, INTERFACE.errors)


def test_values_arrive_as_they_were() -> None:
    reasons = Reasons({"a": Option("d0", "C")}, math.inf, 85.0, True, None, {"a": ()})
    header = INTERFACE.answer(Answering(reasons), explain_question()).header
    assert INTERFACE.calls["explain"].result(header, INTERFACE.errors) == reasons


class Answering:
    """Answers every explanation with one value, and records the context that arrived."""

    def __init__(self, value: object) -> None:
        self.value = value

    def explain(self, name: str, context: DecisionContext, in_force: dict[str, str]) -> object:
        assert (name, context, in_force) == ("explore", full_context(), {"a": "d0@C"})
        return self.value


def full_context() -> DecisionContext:
    known = context(unavailable=frozenset({"sky"}))
    return replace(known, conditions={"a": Condition(cpu=0.25, weak=True)})


def explain_question() -> Frame:
    question = INTERFACE.calls["explain"].question("explore", full_context(), {"a": "d0@C"})
    return Frame(question.header, question.blob)


def worked(questions: list[bytes]) -> list[bytes]:
    """The headers of a worker's answers."""
    answers = io.BytesIO()
    main(Policy(seed=0), io.BytesIO(b"".join(questions)), answers)
    answers.seek(0)
    found = list[bytes]()
    while (frame := read_frame(answers)) is not None:
        found.append(frame.header)
    return found


def good_question() -> bytes:
    return INTERFACE.calls["exploration_budget"].question().packed()


def test_the_process_that_answers_loads_no_torch() -> None:
    code = "import sys, tercet.services.orchestrator.decide.service; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
