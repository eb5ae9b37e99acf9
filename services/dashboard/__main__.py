"""Start the dashboard: `python -m services.dashboard`."""

from runtime.app import run
from services.dashboard.service import main
from services.dashboard.settings import Settings

if __name__ == "__main__":
    run("dashboard", main, Settings)
