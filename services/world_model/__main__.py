"""Start a world-model worker: `python -m services.world_model`."""

from runtime.app import run
from services.world_model.service import main
from services.world_model.settings import Settings

if __name__ == "__main__":
    run("world-model", main, Settings, nice=19)
