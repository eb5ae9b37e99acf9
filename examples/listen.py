"""Print every decision as it is made.

python examples/listen.py --bus nats://127.0.0.1:4222 [--device camera-1]
"""

import argparse
import asyncio
import json
import os
import sys

import nats
from nats.aio.client import Client


async def listen(bus: str, device: str) -> None:
    """Print decisions, one a line, until interrupted."""
    client = await connected(bus)
    decisions = await client.subscribe(f"decision.v1.{device}")
    async for message in decisions.messages:
        decision = json.loads(message.data)
        print(decision["device"], "runs", decision["option"], "on", decision["node"], flush=True)


async def connected(bus: str) -> Client:
    """Connect, and stay connected for ever; end with one line when no broker answers at first."""

    async def on_error(error: Exception) -> None:
        print("connection error:", error or type(error).__name__, file=sys.stderr)

    try:
        async with asyncio.timeout(5):
            return await nats.connect(bus, max_reconnect_attempts=-1, error_cb=on_error)
    except (OSError, TimeoutError):
        sys.exit(f"no broker answers at {bus}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print every decision as it is made.")
    parser.add_argument("--bus", default="nats://127.0.0.1:4222", help="URL of the broker")
    parser.add_argument("--device", default="*", help="one device only")
    arguments = parser.parse_args()
    try:
        asyncio.run(listen(arguments.bus, arguments.device))
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # The reader has what it wanted, as in `… | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
