"""Start a monitor: `python -m services.monitor`."""

from runtime.app import run
from services.monitor.service import main
from services.monitor.settings import Settings

if __name__ == "__main__":
    run("monitor", main, Settings)
