"""Build the missing models: `python -m tercet.models [DIRECTORY]` (default: the user's cache)."""

import sys
import time
from pathlib import Path

from tercet.models.errors import AssetError
from tercet.models.paper_family import complete


def main() -> int:
    """Exit status: 0 all eight are verified, 2 with one line on stderr if not, 130 if stopped."""
    started = time.monotonic()

    def progress(variant: str, stage: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {variant}  {stage}", flush=True)

    try:
        manifest = complete(Path(sys.argv[1]) if sys.argv[1:] else None, progress)
    except AssetError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    for name, entry in manifest.variants.items():
        macs = "" if entry.million_macs is None else f"{entry.million_macs:6.1f} M MACs"
        print(f"{name}  {entry.precision}  {macs}  {entry.bytes:9d} bytes")
    print(f"{manifest.directory}: weights are {next(iter(manifest.variants.values())).weights}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
