"""Start one role of the orchestrator: `python -m services.orchestrator --role decide|learn`."""

import argparse

from runtime.app import run
from services.orchestrator.settings import Settings

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m services.orchestrator")
    parser.add_argument("--role", choices=("decide", "learn"), required=True)
    if parser.parse_args().role == "decide":
        from services.orchestrator.service import decide

        run("orchestrator", decide, Settings)
    else:
        from services.orchestrator.learning import learn

        run("learner", learn, Settings, nice=19)
