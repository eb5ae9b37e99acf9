"""Verbs run in this process: as `tercet` runs them, without the start of an interpreter each."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
import tempfile
import threading
from typing import NamedTuple
from unittest import mock

from tercet.cli import __main__ as cli


class Done(NamedTuple):
    """How a verb ended."""

    code: int
    stdout: str
    stderr: str


def invoke(*arguments: str, **environment: str) -> Done:
    """Run `tercet` with these arguments; TERCET_ variables are those given, and no others."""
    out, errors = io.StringIO(), io.StringIO()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TERCET_")}
    ended: list[int | BaseException] = []

    def run() -> None:
        try:
            cli._main()
            ended.append(0)
        except SystemExit as end:
            ended.append(0 if end.code is None else end.code if isinstance(end.code, int) else 1)
        except BaseException as error:
            ended.append(error)

    with (
        mock.patch.dict(os.environ, {**clean, **environment}, clear=True),
        mock.patch.object(sys, "argv", ["tercet", *arguments]),
        mock.patch.object(tempfile, "tempdir", None),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            run()
        else:  # A verb has a loop of its own.
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
    (code,) = ended
    if isinstance(code, BaseException):
        raise code
    return Done(code, out.getvalue(), errors.getvalue())


def tercet(*arguments: str, code: int = 0) -> str:
    """Run a verb; its stdout, or the reason on stderr when it is refused with 2."""
    done = invoke(*arguments)
    assert done.code == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if code == 2 else done.stdout
