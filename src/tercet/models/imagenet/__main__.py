"""Build the family: `python -m tercet.models.imagenet [DIRECTORY]` (default: the user's cache)."""

import sys
import time
from pathlib import Path

from tercet.models.errors import AssetError
from tercet.models.imagenet.family import ensure
from tercet.models.imagenet.variants import FAMILY
from tercet.models.manifest import default_directory


def main() -> int:
    """Exit status: 0 the family is verified, 2 with one line on stderr if not, 130 if stopped."""
    started = time.monotonic()

    def progress(variant: str, stage: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {variant}  {stage}", flush=True)

    try:
        manifest = ensure(
            Path(sys.argv[1]) if sys.argv[1:] else default_directory() / FAMILY, progress
        )
    except AssetError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    for name, entry in manifest.variants.items():
        print(f"{name:18} {entry.accuracy_pct:5.2f} %  {entry.bytes:9d} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
