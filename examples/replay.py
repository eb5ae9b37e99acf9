"""Replay all decisions from the first one stored, and go on after a restart where it stopped.

python examples/replay.py --bus nats://127.0.0.1:4222 --name my-replay [--once] [--forget]

The place in the stream is kept by the broker, in a durable consumer called `--name`. A decision is
acknowledged after it was printed: one that was printed when the process died is printed again.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

STREAM = "DECISIONS"
FETCH_TIMEOUT_S = 1.0


async def main(bus: str, name: str, once: bool, forget: bool) -> None:
    """Print what is new to `name`; with `once` only what is stored already."""
    client = await connected(bus)
    stream = client.jetstream()
    if forget:
        with contextlib.suppress(NotFoundError):
            await stream.delete_consumer(STREAM, name)
    pull = await stream.pull_subscribe("decision.v1.*", durable=name, stream=STREAM)
    try:
        while await replay_one(pull) or not once:
            pass
    finally:
        await pull.unsubscribe()
        await client.close()


async def replay_one(pull: JetStreamContext.PullSubscription) -> bool:
    """Print the next decision; False when none came in time."""
    try:
        (message,) = await pull.fetch(
            1, timeout=FETCH_TIMEOUT_S
        )  # One by one: larger fetches can stall.
    except TimeoutError:
        return False
    decision = json.loads(message.data)
    number = message.metadata.sequence.stream
    print(
        number, decision["at"], decision["device"], decision["option"], decision["node"], flush=True
    )
    await message.ack_sync()
    return True


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
    parser = argparse.ArgumentParser(description="Replay all decisions, durably.")
    parser.add_argument("--bus", default="nats://127.0.0.1:4222", help="URL of the broker")
    parser.add_argument("--name", default="replay-example", help="name of the durable consumer")
    parser.add_argument("--once", action="store_true", help="end when nothing more is stored")
    parser.add_argument("--forget", action="store_true", help="begin again with the first one")
    arguments = parser.parse_args()
    try:
        asyncio.run(main(arguments.bus, arguments.name, arguments.once, arguments.forget))
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # The reader has what it wanted, as in `… | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
