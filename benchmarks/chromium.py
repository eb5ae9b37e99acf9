"""The system's own Chromium, for tests and measurements: where it is, and how it is started."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def executable() -> str | None:
    """The browser named by TERCET_CHROMIUM, else the first one on PATH, else None."""
    named = os.environ.get("TERCET_CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


def switches() -> list[str]:
    """Headless, and without a word to anyone outside; as root its sandbox cannot start."""
    quiet = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    return [*quiet, "--no-sandbox"] if os.geteuid() == 0 else quiet
