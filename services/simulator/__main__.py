"""Start the simulator: `python -m tercet.services.simulator`."""

from tercet.messaging.service_runner import run
from tercet.services.simulator.service import main
from tercet.services.simulator.settings import SimulatorSettings

if __name__ == "__main__":
    run("world", main, SimulatorSettings)
