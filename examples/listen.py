"""Print every decision as it changes, or with --results the labels of every picture.

python examples/listen.py --bus nats://127.0.0.1:4222 [--device camera-1] [--results]
"""

import argparse
import asyncio
import json
import os
import sys
from typing import Any

import nats
from nats.aio.client import Client


async def listen(bus: str, device: str, kind: str) -> None:
    """Print decisions or results, one a line, until interrupted."""
    client = await connected(bus)
    subscription = await client.subscribe(f"{kind}.v1.{device}")
    async for message in subscription.messages:
        print(LINES[kind](json.loads(message.data)), flush=True)


def decided(decision: dict[str, Any]) -> str:
    """Return where a device's requests run, and where else if that node does not answer."""
    line = f"{decision['device']} runs {decision['option']} on {decision['node']}"
    others = [f"{other['option']} on {other['node']}" for other in decision.get("alternatives", ())]
    return line + "".join(f", else {other}" for other in others)


def answered(result: dict[str, Any]) -> str:
    """Return the likeliest label of a picture, where it ran and how long it took."""
    label = result["labels"][0]["name"] if result["labels"] else "nothing"
    frame, took = result["frame"] or "a picture", f"{result['response_ms']:.0f} ms"
    return f"{result['device']} {result['source']} {frame}: {label} ({result['option']}, {took})"


LINES = {"decision": decided, "result": answered}


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
    parser = argparse.ArgumentParser(description="Print every decision as it changes.")
    parser.add_argument("--bus", default="nats://127.0.0.1:4222", help="URL of the broker")
    parser.add_argument("--device", default="*", help="one device only")
    parser.add_argument("--results", action="store_true", help="labels of pictures instead")
    arguments = parser.parse_args()
    try:
        kind = "result" if arguments.results else "decision"
        asyncio.run(listen(arguments.bus, arguments.device, kind))
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # The reader has what it wanted, as in `… | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
