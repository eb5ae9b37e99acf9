"""Print every decision as it is made.

python examples/listen.py --bus nats://127.0.0.1:4222 [--device camera-1]
"""

import argparse
import asyncio
import contextlib
import json

import nats


async def listen(bus: str, device: str) -> None:
    """Print decisions, one a line, until interrupted."""
    client = await nats.connect(bus, max_reconnect_attempts=-1)
    decisions = await client.subscribe(f"decision.v1.{device}")
    async for message in decisions.messages:
        said = json.loads(message.data)
        print(said["device"], "runs", said["option"], "on", said["node"], flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print every decision as it is made.")
    parser.add_argument("--bus", default="nats://127.0.0.1:4222", help="URL of the broker")
    parser.add_argument("--device", default="*", help="one device only")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(listen(arguments.bus, arguments.device))
