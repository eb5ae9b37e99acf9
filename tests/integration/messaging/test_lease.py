"""Leases: one holder at a time, epochs count up, leases expire, shares add up."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from tercet.messaging import inspection
from tercet.messaging.bus import Bus
from tercet.messaging.lease import Leases
from tercet.messaging.recent_ids import RecentIds
from tercet.messaging.slot_balancer import share
from tercet.schemas.round import Round
from tests.conftest import captured_logs

SLOTS = ("s0", "s1", "s2")


class Clock:
    """Time goes on when the test says so; each worker has its own, far from the others'."""

    def __init__(self, start: float) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now


async def leases(bus: Bus, holder: str, start: float = 0.0) -> tuple[Leases, Clock]:
    clock = Clock(start)
    return Leases(await bus.js.key_value("leases"), SLOTS, holder, 3.0, clock), clock


async def watch(leases: Leases, clock: Clock, seconds: int) -> None:
    for _ in range(seconds):
        clock.now += 1.0
        await leases.refresh()


async def lost(leases: Leases) -> list[str]:
    """Renew all; the slots that turned out to be lost."""
    return [slot async for slot in leases.renew()]


async def test_a_slot_has_one_holder(bus: Bus) -> None:
    (a, _), (b, _) = await leases(bus, "a"), await leases(bus, "b")
    await a.refresh()
    await b.refresh()
    assert await a.acquire("s0") == 1
    assert await b.acquire("s0") is None
    await b.refresh()
    assert b.holders() == {"s0": "a"}
    assert b.free() == ["s1", "s2"]


async def test_the_epoch_counts_changes_of_holder(bus: Bus) -> None:
    (a, _), (b, _) = await leases(bus, "a"), await leases(bus, "b")
    assert await a.acquire("s0") == 1
    assert await lost(a) == []
    await a.release("s0")
    await b.refresh()
    assert await b.acquire("s0") == 2


async def test_an_unrenewed_lease_expires_by_the_observers_own_clock(bus: Bus) -> None:
    (a, _), (b, clock) = await leases(bus, "a", 1e6), await leases(bus, "b")
    await a.acquire("s0")
    await b.refresh()
    await watch(b, clock, 3)
    assert "s0" not in b.free()
    await watch(b, clock, 1)
    assert "s0" in b.free()
    assert await b.acquire("s0") == 2
    assert await lost(a) == ["s0"]
    assert a.held == {}


async def test_a_renewed_lease_does_not_expire(bus: Bus) -> None:
    (a, _), (b, clock) = await leases(bus, "a"), await leases(bus, "b")
    await a.acquire("s0")
    for _ in range(10):
        assert await lost(a) == []
        await watch(b, clock, 1)
    assert b.holders() == {"s0": "a"}


async def test_no_lease_expires_while_the_observer_is_suspended_or_disconnected(
    bus: Bus,
) -> None:
    (a, _), (b, clock) = await leases(bus, "a"), await leases(bus, "b")
    await a.acquire("s0")
    await b.refresh()
    clock.now += 1000.0
    await b.refresh()
    assert b.holders() == {"s0": "a"}
    await watch(b, clock, 1)
    b.reset_unchanged()
    await watch(b, clock, 3)
    assert b.holders() == {"s0": "a"}


async def test_a_renewal_whose_answer_was_lost_is_still_ours(bus: Bus) -> None:
    a, _ = await leases(bus, "a")
    await a.acquire("s0")
    before = a.held["s0"]
    await lost(a)
    a.held["s0"] = before  # as if the answer had not come
    assert await lost(a) == []


async def test_a_lease_of_an_earlier_process_of_the_same_name_must_expire(bus: Bus) -> None:
    (before, _), (after, clock) = await leases(bus, "a"), await leases(bus, "a")
    await before.acquire("s0")
    await after.refresh()
    assert "s0" not in after.free()
    await watch(after, clock, 4)
    assert await after.acquire("s0") == 2


async def test_a_deleted_lease_can_be_taken(bus: Bus) -> None:
    a, _ = await leases(bus, "a")
    await a.acquire("s0")
    await a._bucket.delete("s0")
    assert await lost(a) == ["s0"]
    await a.refresh()
    assert await a.acquire("s0") == 1


async def test_a_malformed_lease_is_free_and_logged_once(bus: Bus) -> None:
    (a, _), (b, _) = await leases(bus, "a"), await leases(bus, "b")
    assert await a.acquire("s0") == 1
    await b.refresh()
    await a._bucket.put("s0", b'{"holder": 7}')
    with captured_logs() as logs:
        assert await lost(a) == ["s0"]
        for _ in range(3):
            await b.refresh()
        assert "s0" in b.free()
        assert await b.acquire("s0") == 2  # An epoch never decreases.
    assert [record["event"] for record in logs] == ["malformed lease treated as free"] * 2


async def test_a_malformed_lease_is_shown_as_free(bus: Bus) -> None:
    bucket = await bus.js.key_value("leases")
    await bucket.put("member-0", b"not json")
    assert (await inspection.leases(bus))[0] == {"slot": "member-0", "holder": "", "epoch": 0}


@pytest.mark.parametrize(("workers", "expected"), [(1, [5]), (2, [3, 2]), (3, [2, 2, 1])])
def test_shares_are_even(workers: int, expected: list[int]) -> None:
    holdings = {f"w{k}": 0 for k in range(workers)}
    assert [share(5, name, holdings) for name in holdings] == expected


@pytest.mark.parametrize("workers", range(1, 9))
def test_shares_settle_from_anywhere(workers: int) -> None:
    """Workers that release and acquire what `share` returns reach a state that holds all slots."""
    names = [f"w{k}" for k in range(workers)]
    for start in itertools.product(names, repeat=3):
        held = Counter(dict.fromkeys(names, 0))
        held.update([*start, start[0], start[1]])
        for _ in range(2):
            due = {name: share(5, name, held) for name in names}
            assert sum(due.values()) == 5
            held = Counter(due)
        assert {name: share(5, name, held) for name in names} == dict(held)
        assert max(held.values()) - min(held.values()) <= 1


def test_recent_ids_are_known_and_old_ones_forgotten() -> None:
    recent = RecentIds(3)
    ids = [Round(number=1, devices=("a",), policy="x").id for _ in range(5)]
    for key in ids:
        recent.add(key, "why")
    assert [key in recent for key in ids] == [False, False, True, True, True]
    assert recent.get(ids[4]) == "why"
    assert recent.get(ids[0]) is None
    assert len(recent) == 3
