"""The thinking process itself: questions on stdin, answers on stdout, until there are no more.

`python -m tercet.services.orchestrator.decide.policy_worker SEED [BUDGET]`, started by `thinker.py` alone. A
question is a method of `Policy` and its arguments by place and by name, an answer is (True, value)
or (False, exception), both pickled behind their length: they come from our own parent, never from
the bus.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from importlib import import_module
from threading import Thread
from typing import BinaryIO

from tercet.services.orchestrator.decide.policy import Policy

LENGTH = struct.Struct("!Q")
"""Before every question and answer: its length in bytes."""
NICE = 5
"""Priority given up: the process that answers requests goes first."""


def framed(value: object) -> bytes:
    """Pickle, behind its length."""
    body = pickle.dumps(value)
    return LENGTH.pack(len(body)) + body


def main(seed: int, budget: float | None, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the questions end."""
    policy = Policy(seed, budget)
    while header := questions.read(LENGTH.size):
        name, arguments, named = pickle.loads(questions.read(LENGTH.unpack(header)[0]))
        try:
            answer = (True, getattr(policy, name)(*arguments, **named))
        except Exception as error:
            answer = (False, error)
        answers.write(framed(answer))
        answers.flush()


if __name__ == "__main__":
    os.nice(NICE)
    # Torch takes seconds: have it ready when the first parameters come.
    Thread(
        target=import_module,
        args=("tercet.services.orchestrator.decide.policy_snapshot",),
        daemon=True,
    ).start()
    # What anyone prints goes to the log, not between the answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        main(
            int(sys.argv[1]),
            float(sys.argv[2]) if sys.argv[2:] else None,
            sys.stdin.buffer,
            answers,
        )
