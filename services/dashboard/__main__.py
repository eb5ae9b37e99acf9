"""Start the dashboard: `python -m tercet.services.dashboard`."""

from tercet.messaging.service_runner import run
from tercet.services.dashboard.service import main
from tercet.services.dashboard.settings import DashboardSettings

if __name__ == "__main__":
    run("dashboard", main, DashboardSettings)
