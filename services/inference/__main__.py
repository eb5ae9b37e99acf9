"""Start inference: `python -m services.inference`."""

from runtime.app import run
from services.inference.service import main
from services.inference.settings import Settings

if __name__ == "__main__":
    run("inference", main, Settings)
