"""`python -m benchmarks`: one verb per table or figure; `VERB --help` shows its options."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

# The matrices are small: more threads only wait for each other. Read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def main(arguments: list[str]) -> None:
    """Run one verb; a user's error ends the process with one line on stderr and exit code 2."""
    try:
        from benchmarks.arguments import parser
        from tercet.process import log

        log.configure("benchmarks", "ERROR")  # On stderr: stdout is for tables and JSON.
        options = parser().parse_args(arguments or ["--help"])
        options.verb(options)
    except BrokenPipeError:
        sys.exit(0)
    except ModuleNotFoundError as error:
        extra = "peers" if error.name == "stable_baselines3" else "test"
        _fail(f"{error.name} is not installed: pip install -e '.[{extra}]'")
    except (ValueError, ImportError, OSError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted; finished cells are kept, the same command continues", 130)


def _fail(message: str, code: int = 2) -> NoReturn:
    print(f"benchmarks: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
