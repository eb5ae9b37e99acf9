"""`python -m benchmarks`: one verb per table or figure; `python -m benchmarks VERB --help` says more."""

from __future__ import annotations

import os
import sys

# Matrices are small: more threads only wait for each other. Read when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.arguments import parser
from tercet.process import log

if __name__ == "__main__":
    log.configure("bench", "ERROR")  # On stderr: what is on stdout is a table or JSON.
    given = parser().parse_args(sys.argv[1:] or ["--help"])
    try:
        given.verb(given)
    except BrokenPipeError:
        sys.exit(0)
    except (ValueError, ImportError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("bench: interrupted; finished cells are kept, run the same to go on", file=sys.stderr)
        sys.exit(130)
