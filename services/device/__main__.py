"""Start a device: `python -m services.device`."""

from runtime.app import run
from services.device.service import main
from services.device.settings import Settings

if __name__ == "__main__":
    run("device", main, Settings)
