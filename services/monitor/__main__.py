"""Start a monitor: `python -m tercet.services.monitor`."""

from tercet.messaging.service_runner import run
from tercet.services.monitor.service import main
from tercet.services.monitor.settings import MonitorSettings

if __name__ == "__main__":
    run("monitor", main, MonitorSettings)
