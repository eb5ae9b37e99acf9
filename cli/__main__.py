"""`tercet`: every verb, and one way to end with an error: one line on stderr, exit 2."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Entry point of the console script."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # as Ctrl-C, from the first moment on
    try:
        _main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
    except BrokenPipeError:  # The reader has what it wanted, as in `tercet decisions | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main() -> None:
    try:
        import typer  # noqa: F401  (only to say kindly that it is missing)
    except ModuleNotFoundError:
        sys.exit("tercet: the command line needs its extra: pip install 'tercet[cli]'")
    from pydantic import ValidationError

    from cli.app import app
    from cli.complaint import Complaint
    from runtime import log
    from runtime.errors import Misconfigured
    from runtime.settings import told

    log.configure("tercet", "ERROR")
    try:
        app()
    except (Complaint, Misconfigured) as error:
        print(f"tercet: {error}", file=sys.stderr)
        sys.exit(2)
    except ValidationError as error:
        if not error.title.endswith("Settings"):  # Else a variable of the environment is wrong.
            raise
        print(f"tercet: {told(error)}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
