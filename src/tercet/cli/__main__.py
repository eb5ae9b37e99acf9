"""`tercet`: every verb, and one way to end with an error: one line on stderr, exit 2."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
from pathlib import Path


def main() -> None:
    """Entry point of the console script."""
    gc.disable()  # Until the imports are done: they leave no garbage, and so take less time.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # As Ctrl-C, also during the imports.
    try:
        _main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
    except (BrokenPipeError, SystemExit) as end:
        # Typer and rich turn every broken pipe into exit 1, without checking which pipe it was.
        cause = end.__context__ if isinstance(end, SystemExit) else end
        if not (isinstance(cause, BrokenPipeError) and _stdout_is_closed()):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _stdout_is_closed() -> bool:
    """Whether the reader of stdout has ended, as in `tercet decisions | head`."""
    poll = select.poll()
    poll.register(1, 0)
    if any(event & select.POLLERR for _, event in poll.poll(0)):
        return True
    return os.path.samestat(os.fstat(1), Path(os.devnull).stat())  # rich redirects it there.


def _main() -> None:
    try:
        from tercet.cli.app import app
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        sys.exit("tercet: the command line needs its extra: pip install 'tercet[cli]'")
    try:
        app()
    except Exception as error:
        if (reason := usage_reason(error)) is None:
            raise
        print(f"tercet: {reason}", file=sys.stderr)
        sys.exit(2)


def usage_reason(error: Exception) -> str | None:
    """What the user must change, in one line; None for an internal error."""
    from pydantic import ValidationError

    from tercet.cli.usage_error import UsageError
    from tercet.messaging.security.errors import SiteError
    from tercet.process.errors import Misconfigured
    from tercet.process.settings import describe_error

    if isinstance(error, UsageError | SiteError | Misconfigured):
        return str(error)
    if isinstance(error, ValidationError) and error.title.endswith("Settings"):
        return describe_error(error)  # A variable of the environment is wrong.
    return None


if __name__ == "__main__":
    main()
