"""`tercet`: every verb, and one way to end with an error: one line on stderr, exit 2."""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path


def main() -> None:
    """Entry point of the console script."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # as Ctrl-C, from the first moment on
    try:
        _main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
    except (BrokenPipeError, SystemExit) as end:
        # Typer and rich make an exit of 1 of a broken pipe; of which, they do not ask.
        cause = end.__context__ if isinstance(end, SystemExit) else end
        if not (isinstance(cause, BrokenPipeError) and _reader_left()):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _reader_left() -> bool:
    """Whether nobody reads stdout any more: has what it wanted, as in `tercet decisions | head`."""
    asked = select.poll()
    asked.register(1, 0)
    if any(event & select.POLLERR for _, event in asked.poll(0)):
        return True
    return os.path.samestat(os.fstat(1), Path(os.devnull).stat())  # Where rich turns it then.


def _main() -> None:
    try:
        import typer  # noqa: F401  (only to say kindly that it is missing)
    except ModuleNotFoundError:
        sys.exit("tercet: the command line needs its extra: pip install 'tercet[cli]'")
    from pydantic import ValidationError

    from tercet.cli.app import app
    from tercet.cli.usage_error import UsageError
    from tercet.process import log
    from tercet.process.errors import Misconfigured
    from tercet.process.settings import told

    log.configure("tercet", "ERROR")
    try:
        app()
    except (UsageError, Misconfigured) as error:
        print(f"tercet: {error}", file=sys.stderr)
        sys.exit(2)
    except ValidationError as error:
        if not error.title.endswith("Settings"):  # Else a variable of the environment is wrong.
            raise
        print(f"tercet: {told(error)}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
