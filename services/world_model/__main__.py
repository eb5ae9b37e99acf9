"""Start a world-model worker: `python -m tercet.services.world_model`."""

from tercet.messaging.service_runner import run
from tercet.services.world_model.service import main
from tercet.services.world_model.settings import WorldModelSettings

if __name__ == "__main__":
    run("world-model", main, WorldModelSettings, nice=19)
