"""A worker continues after the loss of a slot, however it detects it."""

from __future__ import annotations

import asyncio

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.lease import Leases, LeaseView
from tercet.messaging.slot_balancer import SlotBalancer
from tercet.process.errors import Fenced

SLOTS = ("s0", "s1", "s2")


async def ended(bus: Bus, monkeypatch: pytest.MonkeyPatch, *, by_itself: bool) -> set[str]:
    """Lose `s0` while other renewals fail; return the slots whose work has ended by then."""
    leases = await Leases.open(bus, SLOTS, "one", 3.0)
    begun, lost, over, gone = set[str](), asyncio.Event(), set[str](), asyncio.Event()
    stop = asyncio.Event()

    async def work(slot: str, _epoch: int, release: asyncio.Event) -> None:
        begun.add(slot)
        if by_itself and slot == "s0":
            await lost.wait()
            over.add(slot)
            gone.set()
            raise Fenced("s0 belongs to epoch 9")
        await release.wait()
        over.add(slot)
        gone.set()

    async def renewed(slot: str, _held: LeaseView) -> bool:
        if slot == "s0" and begun == set(SLOTS):
            lost.set()
            return False
        if lost.is_set():
            await asyncio.sleep(0.1)
            if not by_itself:
                raise TimeoutError
        return True

    monkeypatch.setattr(leases, "_renewed", renewed)
    balancer = asyncio.create_task(SlotBalancer(bus, leases, work, 0.05).run(stop))
    await asyncio.wait({balancer, asyncio.create_task(gone.wait())}, timeout=20,
                       return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
    await asyncio.sleep(0.3)
    assert not balancer.done(), balancer.exception()
    before = set(over)
    stop.set()
    await asyncio.wait_for(balancer, 20)
    return before


@pytest.mark.parametrize("by_itself", [True, False])
async def test_the_work_of_a_lost_slot_ends_and_the_worker_continues(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, by_itself: bool
) -> None:
    assert "s0" in await ended(bus, monkeypatch, by_itself=by_itself)
