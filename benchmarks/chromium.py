"""The installed Chromium, for tests and measurements: its path and its arguments."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def executable() -> str | None:
    """The browser named by TERCET_CHROMIUM, else the first one on PATH, else None."""
    named = os.environ.get("TERCET_CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


def switches() -> list[str]:
    """Headless, without background network traffic; as root without the sandbox."""
    quiet = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    return [*quiet, "--no-sandbox"] if os.geteuid() == 0 else quiet
