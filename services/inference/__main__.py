"""Start inference: `python -m tercet.services.inference`."""

from tercet.messaging.service_runner import run
from tercet.services.inference.service import main
from tercet.services.inference.settings import InferenceSettings

if __name__ == "__main__":
    run("inference", main, InferenceSettings)
