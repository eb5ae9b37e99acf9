"""The page in a real, headless Chromium, fed by a real broker and real processes."""

from __future__ import annotations

import re
import time
from typing import Any

from tercet.messaging.bus import Bus
from tercet.messaging.store import read_exploration, read_goal, write_goal
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.fleet import Condition
from tercet.schemas.goal import GoalSet
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round
from tercet.schemas.telemetry import Telemetry
from tests.conftest import Server
from tests.integration.dashboard.conftest import PICTURES, Look, Start, StartDashboard, View

ACCURACY = {"d0": 89.9, "d1": 88.2, "d2": 84.9, "d3": 74.2}
HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'


def camera(option: str = "d0@L", policy: str = "greedy", node: str = "camera") -> Decision:
    return Decision(device="camera", option=option, node=node, goal="85", policy=policy)


async def introduce(bus: Bus) -> None:
    """A fifth device beside the crowd's four, with no telemetry of its own."""
    await write_goal(bus, GoalSet(goal="85", by="ann"))
    await bus.publish(
        Capability(node="camera", tier="device", home="edge-1", accuracy_pct=ACCURACY)
    )


async def seconds_until_shown(view: View, bus: Bus, option: str, node: str) -> float:
    """Publish a decision; return how long the page took to show it."""
    variant, tier = option.split("@")
    published = time.monotonic()
    await bus.publish(camera(option, node=node))
    await view.shows(f'[data-name="camera"][data-tier="{tier}"] .badge', variant)
    return time.monotonic() - published


async def test_the_page_follows_steers_and_sees_a_node_die(
    bus: Bus, dashboard: StartDashboard, start: Start, look: Look
) -> None:
    await introduce(bus)
    found = dashboard()
    start("benchmarks.crowd", crowd=4)
    monitor = start("tercet.services.monitor", node="camera")
    view: View = await look(found.url)
    page = view.page
    await view.shows("body[data-stream=live]")
    for name in ("device-1", "device-2", "device-3", "device-4", "camera"):
        await view.shows(f'button.node[data-name="{name}"][data-life="alive"]')
    assert await page.locator("#devices .node").count() == 5
    assert await page.locator("#cloud .node").count() == 1

    told = [("d1@L", "camera"), ("d0@E", "edge-1"), ("d0@C", "cloud"), ("d2@L", "camera")]
    waits = [await seconds_until_shown(view, bus, *decision) for decision in told]
    print(f"shown {min(waits):.2f} to {max(waits):.2f} s after it was published")
    assert sorted(waits)[1] < 1.0

    await page.locator("#who").fill("Ann")
    slider = page.locator("#goal-slider")
    await slider.focus()
    await page.keyboard.press("Home")  # min
    await page.keyboard.press("ArrowRight")  # the least accurate variant, 74
    await view.shows("#goal-by", "in force: 74 %, set by Ann (dashboard, 127.0.0.1)")
    goal = await read_goal(bus)
    assert goal is not None
    assert (goal.goal, goal.by) == ("74", "Ann (dashboard, 127.0.0.1)")
    await page.locator("#goal-max").click()
    await view.shows("#goal-by", "in force: max")
    await page.locator("#explore").click()
    await view.shows("#explore[aria-pressed=true]", "Go on exploring")
    exploration = await read_exploration(bus)
    assert exploration is not None
    assert exploration.explore is False

    killed = time.monotonic()
    monitor.kill()
    await view.shows('[data-name="camera"][data-life="dead"] .link', "dead")
    print(f"dead {time.monotonic() - killed:.2f} s after it was killed")
    await view.shows("#spoken", "camera is dead")
    assert "camera, device, dead" in str(
        await page.locator('[data-name="camera"]').get_attribute("aria-label")
    )
    assert view.complaints == []


async def test_a_broker_restart_and_a_dashboard_restart_heal(
    server: Server, bus: Bus, dashboard: StartDashboard, start: Start, look: Look
) -> None:
    await introduce(bus)
    found = dashboard()
    start("benchmarks.crowd", crowd=4)
    view: View = await look(found.url)
    await view.shows('button.node[data-life="alive"]')
    server.kill()
    await view.shows("#state-words", "bus away")
    assert await view.page.locator('[data-name="device-1"][data-life="alive"]').count() == 1
    server.start()
    await view.shows("body[data-stream=live]", patience=30)
    before = int(await view.text("#fact-round"))
    await view.becomes(f"Number(document.getElementById('fact-round').textContent) > {before}")
    await view.shows('button.node[data-life="alive"]')
    assert view.complaints == []

    found.process.kill()
    await view.shows("#state-words", "connection lost")
    start("tercet.services.dashboard", dashboard_port=found.port)
    await view.shows("body[data-stream=live]", patience=30)
    await view.shows('button.node[data-name="device-1"][data-life="alive"]')


async def test_hostile_words_are_words(bus: Bus, dashboard: StartDashboard, look: Look) -> None:
    await introduce(bus)
    view: View = await look(dashboard().url)
    await view.shows('[data-name="camera"]')
    await bus.publish(camera(policy=HOSTILE))
    await bus.publish(Round(number=7, devices=("camera",), policy=HOSTILE))
    await write_goal(bus, GoalSet(goal="80", by=HOSTILE))
    for name in ("__proto__", "constructor"):
        told = {"device": name, "node": name, "goal": "85", "policy": "greedy"}
        await bus.publish(Decision(option="constructor@L", **told))
    await bus.client.publish("decision.v1.<script>alert(1)</script>", b"<script>alert(1)</script>")
    await view.shows("#fact-policy", "<img src=x onerror=")
    await view.shows("#journal", "<img src=x onerror=")
    for name in ("__proto__", "constructor"):
        await view.page.locator(f'button[data-name="{name}"]').click()
        await view.shows("#device[open] #options", "constructor@L")
        await view.page.keyboard.press("Escape")
    await view.page.locator('[data-name="camera"]').click()
    await view.shows("#device[open] #device-why", "<img src=x onerror=")
    assert await view.page.evaluate("window.pwned === undefined")
    assert await view.page.locator("main img, dialog img, body > script").count() == 0
    assert view.complaints == []
    # And if the page had a hole, its own rules would shut it.
    hole = "try { document.body.innerHTML = '<b>x</b>'; return 'open' } catch { return 'shut' }"
    assert await view.page.evaluate(f"() => {{ {hole} }}") == "shut"
    assert any("TrustedHTML" in words for words in view.complaints)


async def test_a_read_only_page_says_so_and_has_no_handles(
    bus: Bus, dashboard: StartDashboard, look: Look
) -> None:
    await introduce(bus)
    view: View = await look(dashboard(dashboard_read_only=True).url)
    await view.shows("#read-only:not([hidden])", "read-only")
    for control in ("#goal-slider", "#goal-min", "#goal-max", "#explore"):
        assert await view.page.locator(control).is_disabled()


async def outcomes(bus: Bus) -> None:
    """A request with all its parts, for the waterfall."""
    for k in range(6):
        parts = {"decision_ms": 1.0, "network_ms": 8.0 + k, "queue_ms": 5.0 * k, "compute_ms": 40.0}
        told = {"device": "camera", "node": "edge-1", "executed": "d0@E", "assigned": "d0@E"}
        await bus.publish(Outcome(**told, response_ms=sum(parts.values()), **parts))


LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "width": 390, "height": 844},
}


async def test_it_looks_right_in_light_in_the_dark_and_on_a_phone(
    bus: Bus, dashboard: StartDashboard, start: Start, look: Look
) -> None:
    await introduce(bus)
    found = dashboard()
    start("benchmarks.crowd", crowd=4)
    weak = Condition(cpu=0.3, memory=0.4, link_ms=24.0, weak=True)
    await bus.publish(camera("d0@C", node="cloud"))
    await bus.publish(Telemetry(node="camera", condition=weak, total_cpu=0.5))
    await outcomes(bus)
    for name, context in LOOKS.items():
        view: View = await look(found.url, **context)
        await view.shows('[data-chart="response"] .legend b', "ms")
        await view.shows("#policies tbody tr", "all d0@L")
        await view.shows('[data-name="camera"][data-weak="yes"] .link')
        await fits(view)
        ground = await view.page.evaluate("getComputedStyle(document.body).backgroundColor")
        light = sum(int(part) for part in re.findall(r"\d+", ground)) > 3 * 128
        assert light == (name != "dark")
        await keep(view, name, full_page=True)
        await by_keyboard(view, name)
        assert view.complaints == []


async def by_keyboard(view: View, name: str) -> None:
    """Walk to a device, open it, close it, and be where one was."""
    focus, keyboard = "document.activeElement.dataset.name", view.page.keyboard
    await view.page.locator('[data-name="camera"]').focus()
    await keyboard.press("ArrowRight")
    assert await view.page.evaluate(focus) == "device-1"
    await keyboard.press("ArrowLeft")
    await keyboard.press("Enter")
    await view.shows("#device[open] #waterfall li", "d0@E")
    await keep(view, f"{name}-device")
    await keyboard.press("Escape")
    await view.shows("#device:not([open])")
    assert await view.page.evaluate(focus) == "camera"


async def fits(view: View) -> None:
    """Nothing sticks out to the right."""
    root = "document.documentElement"
    assert await view.page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")


async def keep(view: View, name: str, **options: Any) -> None:
    """Take a screenshot for people to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    await view.page.screenshot(path=PICTURES / f"{name}.png", **options)


async def test_two_hundred_devices_become_tiles(
    bus: Bus, dashboard: StartDashboard, start: Start, look: Look
) -> None:
    found = dashboard()
    start("benchmarks.crowd", crowd=200)
    for name, width in (("crowd", 1440), ("crowd-phone", 390)):
        view: View = await look(found.url, width=width, height=900)
        await view.shows('.picture[data-mode="tiles"]')
        await view.becomes(
            "document.querySelectorAll('#devices .node[data-life=alive]').length === 200"
        )
        await fits(view)
        assert await view.page.locator("#lines path").count() == 0
        await keep(view, name)
        assert view.complaints == []
