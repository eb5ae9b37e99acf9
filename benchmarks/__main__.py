"""`python -m benchmarks`: one verb per table or figure; `VERB --help` shows its options."""

from __future__ import annotations

import os
import sys

# The matrices are small: more threads only wait for each other. Read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> None:
    """Run one verb; errors of the user are one line on stderr and exit code 2."""
    try:
        from benchmarks.arguments import parser
        from tercet.process import log

        log.configure("benchmarks", "ERROR")  # On stderr: stdout is for tables and JSON.
        options = parser().parse_args(sys.argv[1:] or ["--help"])
        options.verb(options)
    except BrokenPipeError:
        sys.exit(0)
    except ModuleNotFoundError as error:
        extra = "peers" if error.name == "stable_baselines3" else "test"
        needed = f"pip install -e '.[{extra}]'"
        print(f"benchmarks: {error.name} is not installed: {needed}", file=sys.stderr)
        sys.exit(2)
    except (ValueError, ImportError, OSError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(
            "benchmarks: interrupted; finished cells are kept, the same command continues",
            file=sys.stderr,
        )
        sys.exit(130)


if __name__ == "__main__":
    main()
