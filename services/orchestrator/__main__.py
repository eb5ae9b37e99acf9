"""Start a role: `python -m tercet.services.orchestrator --role decide|learn`."""

import argparse

from tercet.messaging.service_runner import run
from tercet.services.orchestrator.settings import OrchestratorSettings

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tercet.services.orchestrator")
    parser.add_argument("--role", choices=("decide", "learn"), required=True)
    if parser.parse_args().role == "decide":
        from tercet.services.orchestrator.decide.service import decide

        run("orchestrator", decide, OrchestratorSettings)
    else:
        from tercet.services.orchestrator.learn.service import learn

        run("learner", learn, OrchestratorSettings, nice=19)
