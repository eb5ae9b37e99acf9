"""A fleet of one's own, written with nothing but a NATS client and schemas/asyncapi.yaml.

python examples/fleet.py --bus nats://127.0.0.1:4222 --devices 3 [--rounds 50] [--seed 0]

It represents all its nodes: the devices, one edge and the cloud. Nothing is inferred: response
times are generated (virtual, and marked `simulated`). They are local times per variant, and at edge
and cloud a link plus a time per device that is sent there, so the best assignment is a mixture.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import nats
from nats.aio.client import Client

EDGE, CLOUD = "gate", "datacentre"
ACCURACY_PCT = {"d0": 89.9, "d1": 88.2, "d2": 84.9, "d3": 74.2}
LOCAL_MS = {"d0": 110.0, "d1": 62.0, "d2": 31.0, "d3": 14.0}
LINK_MS, EACH_MS = {EDGE: 4.0, CLOUD: 21.0}, {EDGE: 30.0, CLOUD: 13.0}
DECISION_TIMEOUT_S = 0.5  # Then the device decides by itself.
ACK_TIMEOUT_S = 2.0  # Then a stored message is published again.

Message = dict[str, Any]


def message(kind: str, cause: Message | None = None, key: str = "", **fields: Any) -> Message:
    """A message with its identity; a consequence derives its id from its cause."""
    identity = uuid5(UUID(cause["id"]), f"{kind}/{key}") if cause else uuid4()
    because = {"cause": cause["id"]} if cause else {}
    header = {"type": kind, "id": str(identity), "at": datetime.now(UTC).isoformat()}
    return {**header, **because, **fields}


class Fleet:
    """Some devices, an edge and a cloud, on one connection."""

    def __init__(self, client: Client, devices: int, seed: int) -> None:
        self.client, self.stream = client, client.jetstream(timeout=ACK_TIMEOUT_S)
        self.devices = [f"camera-{k}" for k in range(1, devices + 1)]
        self.rng = random.Random(seed)

    async def publish_capabilities(self) -> None:
        """Publish what every node offers, the devices last: rounds begin with them."""
        for node in (CLOUD, EDGE):
            tier = "cloud" if node == CLOUD else "edge"
            await self.publish_capability(node, {"d0": EACH_MS[node]}, tier=tier)
        for device in self.devices:
            await self.publish_capability(device, LOCAL_MS, tier="device", home=EDGE)

    async def publish_capability(self, node: str, profile: dict[str, float], **more: str) -> None:
        """Publish what one node can run, with accuracy, and compute time without load."""
        accuracy = {variant: ACCURACY_PCT[variant] for variant in profile}
        fields: Message = {"node": node, "accuracy_pct": accuracy, "profile_ms": profile, **more}
        await self.publish_stored(f"capability.v1.{node}", message("capability.v1", **fields))

    async def publish_telemetry(self, leaving: bool = False) -> None:
        """Publish the condition of every node: hosts without load, each with its own link."""
        for node in (*self.devices, EDGE, CLOUD):
            condition = {"cpu": 0.05, "memory": 0.3, "link_ms": LINK_MS.get(node, 2.0)}
            telemetry = message("telemetry.v1", node=node, condition=condition, leaving=leaving)
            await self.client.publish(f"telemetry.v1.{node}", json.dumps(telemetry).encode())

    async def publish_telemetry_forever(self) -> None:
        """Publish telemetry once a second."""
        while True:
            await self.publish_telemetry()
            await asyncio.sleep(1.0)

    async def take_part(self, rounds: int | None) -> None:
        """Take part in `rounds` rounds (None: all), with one request per device in each."""
        opened_rounds = await self.client.subscribe("round.v1")
        await self.publish_capabilities()
        answered = itertools.count(1)
        async for raw in opened_rounds.messages:
            opened = json.loads(raw.data)
            mine = [device for device in self.devices if device in opened["devices"]]
            if not mine:
                continue
            decisions = await asyncio.gather(*(self.request(device, opened) for device in mine))
            await self.report(opened, dict(zip(mine, decisions, strict=True)))
            if next(answered) == rounds:
                return

    async def request(self, device: str, opened: Message) -> Message | None:
        """Request a decision; None if there is none in time."""
        request = message("request.v1", opened, device, device=device, round_id=opened["id"])
        body = json.dumps(request).encode()
        try:
            reply = await self.client.request(f"request.v1.{device}", body, DECISION_TIMEOUT_S)
        except (TimeoutError, nats.errors.Error):
            return None
        if reply.headers and "Nats-Service-Error" in reply.headers:
            print(device, "is refused:", reply.headers["Nats-Service-Error"], flush=True)
            return None
        decision: Message = json.loads(reply.data)
        return decision

    async def report(self, opened: Message, decisions: dict[str, Message | None]) -> None:
        """Generate response times from the loads, and publish the outcomes."""
        nodes = {device: d["node"] if d else device for device, d in decisions.items()}
        load = {node: list(nodes.values()).count(node) for node in (EDGE, CLOUD)}
        shown, total = [], 0.0
        for device, decision in decisions.items():
            executed = decision["option"] if decision else "d0@L"
            taken = self.response_ms(nodes[device], executed.partition("@")[0], load)
            outcome = message(
                "outcome.v1",
                decision or opened,
                device,
                device=device,
                node=nodes[device],
                assigned=executed if decision else None,
                executed=executed,
                fallback="none" if decision else "no-decision",
                round=opened["number"],
                round_id=opened["id"],
                response_ms=taken,
                simulated=True,
            )
            await self.publish_stored(f"outcome.v1.{device}", outcome)
            shown.append(f"{device} {executed}")
            total += taken
        average = f"{total / len(decisions):.1f} ms"
        print(f"round {opened['number']}: {average}, {', '.join(shown)}", flush=True)

    def response_ms(self, node: str, variant: str, load: dict[str, int]) -> float:
        """Return a response time in (virtual) milliseconds, with five per cent of noise."""
        shared = node in load
        ms = LINK_MS[node] + EACH_MS[node] * load[node] if shared else LOCAL_MS[variant]
        return ms * self.rng.lognormvariate(0.0, 0.05)

    async def publish_stored(self, subject: str, content: Message) -> None:
        """Publish until a stream has stored it; the id prevents that it is stored twice."""
        body, headers = json.dumps(content).encode(), {"Nats-Msg-Id": content["id"]}
        while True:
            try:
                await self.stream.publish(subject, body, headers=headers)
            except (TimeoutError, nats.errors.Error) as error:
                print(f"{subject} is not stored yet: {error!r}", flush=True)
                await asyncio.sleep(0.5)
            else:
                return


async def main(bus: str, devices: int, rounds: int | None, seed: int) -> None:
    """Take part in `rounds` rounds, then announce that all nodes leave."""
    client = await nats.connect(bus, max_reconnect_attempts=-1)
    fleet = Fleet(client, devices, seed)
    async with asyncio.TaskGroup() as tasks:
        telemetry = tasks.create_task(fleet.publish_telemetry_forever())
        await fleet.take_part(rounds)
        telemetry.cancel()
    await fleet.publish_telemetry(leaving=True)
    await client.drain()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Take part as a fleet with virtual times.")
    parser.add_argument("--bus", default="nats://127.0.0.1:4222", help="URL of the broker")
    parser.add_argument("--devices", type=int, default=3, help="number of devices")
    parser.add_argument("--rounds", type=int, help="number of rounds; default: unlimited")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(arguments.bus, arguments.devices, arguments.rounds, arguments.seed))
