"""The policy process: questions on stdin, answers on stdout, until the questions end.

`python -m tercet.services.orchestrator.decide.policy_worker AGENT SEED [BUDGET]`, started by
`policy_process.py` alone. The format is that of `remote_call.py`.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

from tercet.services.orchestrator.decide.policy_interface import ERRORS, DecisionPolicy
from tercet.services.orchestrator.decide.remote_call import Interface, MalformedFrame, read_frame

NICE = 5
"""Priority given up in favour of the process that answers requests."""


def main(policy: DecisionPolicy, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the questions end; one that is malformed is refused."""
    interface = Interface(DecisionPolicy, ERRORS)
    while True:
        try:
            question = read_frame(questions)
        except MalformedFrame as error:
            answer = interface.failure(error)
        else:
            if question is None:
                return
            answer = interface.answer(policy, question)
        answers.write(answer.packed())
        answers.flush()


def policy_of(agent: str, seed: str, budget: str | None = None) -> DecisionPolicy:
    """The policy of an agent; the libraries of the others are not imported."""
    if agent == "hybrid-paper":
        from tercet.services.orchestrator.decide.paper_policy import PaperPolicy

        return PaperPolicy(int(seed))
    from tercet.services.orchestrator.decide.policy import Policy

    return Policy(int(seed), None if budget is None else float(budget))


if __name__ == "__main__":
    os.nice(NICE)
    # What libraries print goes to the log, not between the answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        main(policy_of(*sys.argv[1:]), sys.stdin.buffer, answers)
