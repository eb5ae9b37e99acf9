"""`tercet audit`: is each experience stored once, and in effect once for every trainer?"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any
from uuid import UUID

import typer

from tercet.cli.output import Json, as_json
from tercet.cli.running_system import Url, bus_at
from tercet.experience.digest import IdDigest
from tercet.messaging import inspection
from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import replay
from tercet.schemas.experience_v2 import Experience

EPILOG = "Example: [bold]tercet audit[/] exits with 1 when an account does not balance."


def audit(
    bus: Url = None,
    settle: Annotated[
        float, typer.Option(min=0, help="Seconds in which trainers may catch up.")
    ] = 10.0,
    json: Json = False,
) -> None:
    """Compare the experience stream with the experience that each trainer has in effect."""
    found = asyncio.run(_settled(bus, settle))
    if json:
        as_json(found)
    else:
        print(f"experiences in the stream: {found['stored']}, stored twice: {found['doubled']}")
        for account in found["accounts"]:
            balance = "balances" if account["balances"] else "DOES NOT BALANCE"
            behind = f", {account['behind']} behind" if account["behind"] else ""
            print(f"{account['owner']}: {account['in_effect']} in effect{behind}, {balance}")
    if not found["balances"]:
        sys.exit(1)


async def _settled(url: str | None, timeout_s: float) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    async with bus_at(url) as bus:
        deadline = loop.time() + timeout_s
        while True:
            found = await account(bus)
            if found["balances"] or loop.time() > deadline:
                return found
            await asyncio.sleep(0.5)


async def account(bus: Bus) -> dict[str, Any]:
    """Count by id: what is in the stream, and what each owner of parameters has in effect.

    Everyone learns in the stream's order. So whoever has L experiences in effect, from a sequence
    on, must have exactly the first L from there: their ids add up to the same sum. This holds
    while the system runs on; how far an owner is behind is reported beside it. What came before
    that sequence is left out: a change of options erased it, or a restart did not read it back.
    """
    pointers = await inspection.parameters(bus)  # before the stream: none can be ahead of it
    stored, doubled = dict[UUID, int](), 0
    async for sequence, experience in replay(bus, Experience):
        if experience.purpose != "learn":
            continue
        if experience.id in stored:
            doubled += 1
            continue
        stored[experience.id] = sequence
    accounts = [_account(pointer, stored) for pointer in pointers]
    complete = {a["owner"] for a in accounts} == set(inspection.OWNERS)
    return {
        "stored": len(stored),
        "doubled": doubled,
        "accounts": accounts,
        "balances": doubled == 0 and complete and all(a["balances"] for a in accounts),
    }


def _account(pointer: dict[str, Any], stored: dict[UUID, int]) -> dict[str, Any]:
    """Compare one owner's published parameters with `stored`, id to sequence, in order."""
    expected = [identity for identity, sequence in stored.items() if sequence >= pointer["since"]]
    count = pointer["learned"]
    balances = count <= len(expected) and str(IdDigest(expected[:count])) == pointer["ids"]
    return {
        "owner": pointer["owner"],
        "in_effect": count,
        "left_out": len(stored) - len(expected),
        "behind": len(expected) - count,
        "balances": balances,
    }
