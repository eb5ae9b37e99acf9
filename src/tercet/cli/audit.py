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
from tercet.messaging.replay import replay
from tercet.schemas.experience import Experience

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
    """Count by id: the stream's experiences, and those each owner of parameters has in effect.

    Every trainer takes experiences in the stream's order. An owner with L experiences in effect
    must therefore have exactly the first L of the stream: the digests of their ids are equal.
    This holds while the system runs; how far an owner is behind is reported beside it.
    """
    pointers = await inspection.parameters(bus)  # Before the stream: none can be ahead of it.
    sums, digest, seen, doubled = [str(IdDigest())], IdDigest(), set[UUID](), 0
    async for _, experience in replay(bus, Experience):
        if experience.purpose != "learn":
            continue
        if experience.id in seen:
            doubled += 1
            continue
        seen.add(experience.id)
        digest.add(experience.id)
        sums.append(str(digest))
    accounts = [
        {
            "owner": pointer["owner"],
            "in_effect": pointer["learned"],
            "behind": len(seen) - pointer["learned"],
            "balances": sums[pointer["learned"] : pointer["learned"] + 1] == [pointer["ids"]],
        }
        for pointer in pointers
    ]
    complete = {a["owner"] for a in accounts} == set(inspection.OWNERS)
    return {
        "stored": len(seen),
        "doubled": doubled,
        "accounts": accounts,
        "balances": doubled == 0 and complete and all(a["balances"] for a in accounts),
    }
