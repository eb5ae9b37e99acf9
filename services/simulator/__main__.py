"""Start a simulated world: `python -m tercet.services.simulator`."""

from tercet.messaging.app import run
from tercet.services.simulator.service import Settings, main

if __name__ == "__main__":
    run("world", main, Settings)
