"""Start a gateway: `python -m tercet.services.gateway`."""

from tercet.messaging.service_runner import run
from tercet.services.gateway.service import main
from tercet.services.gateway.settings import GatewaySettings

if __name__ == "__main__":
    run("device", main, GatewaySettings)
