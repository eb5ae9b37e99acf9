"""The page in a real, headless Chromium, fed by a real broker and real processes.

All tests share one broker, one dashboard and four simulated devices, and run in the order written:
two hundred devices come last, because their end would fill the list of events.
"""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
import pytest_asyncio

from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import read_exploration, read_goal, write_goal
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.fleet import Condition
from tercet.schemas.goal import GoalSet
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round
from tercet.schemas.telemetry import Telemetry
from tests.conftest import Server
from tests.integration.dashboard.conftest import (
    SCREENSHOTS,
    Dashboard,
    OpenPage,
    Process,
    Start,
    StartDashboard,
    View,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCURACY = {"d0": 89.9, "d1": 88.2, "d2": 84.9, "d3": 74.2}
HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'


def camera(option: str = "d0@L", policy: str = "greedy", node: str = "camera") -> Decision:
    return Decision(device="camera", option=option, node=node, goal="85", policy=policy)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dashboard(bus: Bus, start_dashboard: StartDashboard) -> Dashboard:
    """A dashboard with a goal, and a fifth device that sends no telemetry by itself."""
    await write_goal(bus, GoalSet(goal="85", by="ann"))
    await bus.publish(
        Capability(node="camera", tier="device", home="edge-1", accuracy_pct=ACCURACY)
    )
    return start_dashboard()


@pytest.fixture(scope="module")
def crowd(start: Start) -> Process:
    """Four simulated devices, an edge and a cloud."""
    return start("benchmarks.synthetic_fleet", crowd=4)


async def seconds_until_shown(view: View, bus: Bus, option: str, node: str) -> float:
    """Publish a decision; return how long the page took to show it."""
    variant, tier = option.split("@")
    published = time.monotonic()
    await bus.publish(camera(option, node=node))
    await view.shows(f'[data-name="camera"][data-tier="{tier}"] .badge', variant)
    return time.monotonic() - published


async def test_page_shows_decisions_takes_actions_and_detects_a_failed_node(
    bus: Bus, dashboard: Dashboard, crowd: Process, start: Start, open_page: OpenPage
) -> None:
    monitor = start("tercet.services.monitor", node="camera")
    view: View = await open_page(dashboard.url)
    page = view.page
    await view.shows("body[data-stream=live]")
    for name in ("device-1", "device-2", "device-3", "device-4", "camera"):
        await view.shows(f'button.node[data-name="{name}"][data-life="alive"]')
    assert await page.locator("#devices .node").count() == 5
    assert await page.locator("#cloud .node").count() == 1

    decisions = [("d1@L", "camera"), ("d0@E", "edge-1"), ("d0@C", "cloud"), ("d2@L", "camera")]
    waits = [await seconds_until_shown(view, bus, *decision) for decision in decisions]
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


async def publish_outcomes(bus: Bus) -> None:
    """Publish requests with all their parts, for the waterfall."""
    for k in range(6):
        parts = {"decision_ms": 1.0, "network_ms": 8.0 + k, "queue_ms": 5.0 * k, "compute_ms": 40.0}
        fields = {"device": "camera", "node": "edge-1", "executed": "d0@E", "assigned": "d0@E"}
        await bus.publish(Outcome(**fields, response_ms=sum(parts.values()), **parts))


SCREENS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "width": 390, "height": 844},
}


async def test_page_fits_in_light_mode_in_dark_mode_and_on_a_phone(
    bus: Bus, dashboard: Dashboard, crowd: Process, open_page: OpenPage
) -> None:
    weak = Condition(cpu=0.3, memory=0.4, link_ms=24.0, weak=True)
    await bus.publish(camera("d0@C", node="cloud"))
    await bus.publish(Telemetry(node="camera", condition=weak, total_cpu=0.5))
    await publish_outcomes(bus)
    for name, context in SCREENS.items():
        view: View = await open_page(dashboard.url, **context)
        await view.shows('[data-chart="response"] .legend b', "ms")
        await view.shows("#policies tbody tr", "all local")
        await view.shows('[data-name="camera"][data-weak="yes"] .link')
        await fits(view)
        ground = await view.page.evaluate("getComputedStyle(document.body).backgroundColor")
        light = sum(int(part) for part in re.findall(r"\d+", ground)) > 3 * 128
        assert light == (name != "dark")
        await screenshot(view, name, full_page=True)
        await by_keyboard(view, name)
        assert view.complaints == []


async def by_keyboard(view: View, name: str) -> None:
    """Move to a device, open and close its details; the focus returns to it."""
    focus, keyboard = "document.activeElement.dataset.name", view.page.keyboard
    await view.page.locator('[data-name="camera"]').focus()
    await keyboard.press("ArrowRight")
    assert await view.page.evaluate(focus) == "device-1"
    await keyboard.press("ArrowLeft")
    await keyboard.press("Enter")
    await view.shows("#device[open] #waterfall li", "d0@E")
    await screenshot(view, f"{name}-device")
    await keyboard.press("Escape")
    await view.shows("#device:not([open])")
    assert await view.page.evaluate(focus) == "camera"


async def fits(view: View) -> None:
    """Nothing overflows to the right."""
    root = "document.documentElement"
    assert await view.page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")


async def screenshot(view: View, name: str, **options: Any) -> None:
    """Take a screenshot for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await view.page.screenshot(path=SCREENSHOTS / f"{name}.png", **options)


async def test_page_recovers_from_a_broker_restart_and_from_a_dashboard_restart(
    server: Server, dashboard: Dashboard, crowd: Process, start: Start, open_page: OpenPage
) -> None:
    view: View = await open_page(dashboard.url)
    await view.shows('button.node[data-life="alive"]')
    server.kill()
    await view.shows("#state-words", "bus away")
    assert await view.page.locator('[data-name="device-1"][data-life="alive"]').count() == 1
    server.start()
    await view.shows("body[data-stream=live]", timeout_s=30)
    before = int(await view.text("#fact-round"))
    await view.becomes(f"Number(document.getElementById('fact-round').textContent) > {before}")
    await view.shows('button.node[data-life="alive"]')
    assert view.complaints == []

    dashboard.process.kill()
    await view.shows("#state-words", "connection lost")
    dashboard.process = start("tercet.services.dashboard", dashboard_port=dashboard.port)
    await view.shows("body[data-stream=live]", timeout_s=30)
    await view.shows('button.node[data-name="device-1"][data-life="alive"]')


async def test_hostile_text_stays_text(
    bus: Bus, dashboard: Dashboard, crowd: Process, open_page: OpenPage
) -> None:
    crowd.kill()  # Its rounds would replace ours.
    view: View = await open_page(dashboard.url)
    await view.shows('[data-name="camera"]')
    await bus.publish(camera(policy=HOSTILE))
    await bus.publish(Round(number=7, devices=("camera",), policy=HOSTILE))
    await write_goal(bus, GoalSet(goal="80", by=HOSTILE))
    for name in ("__proto__", "constructor"):
        fields = {"device": name, "node": name, "goal": "85", "policy": "greedy"}
        await bus.publish(Decision(option="constructor@L", **fields))
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
    # If the page had an injection, its content security policy would still block it.
    hole = "try { document.body.innerHTML = '<b>x</b>'; return 'open' } catch { return 'shut' }"
    assert await view.page.evaluate(f"() => {{ {hole} }}") == "shut"
    assert any("TrustedHTML" in text for text in view.complaints)


async def test_read_only_page_disables_its_controls(
    dashboard: Dashboard, start_dashboard: StartDashboard, open_page: OpenPage
) -> None:
    view: View = await open_page(start_dashboard(dashboard_read_only=True).url)
    await view.shows("#read-only:not([hidden])", "read-only")
    for control in ("#goal-slider", "#goal-min", "#goal-max", "#explore"):
        assert await view.page.locator(control).is_disabled()


async def test_two_hundred_devices_become_tiles(
    dashboard: Dashboard, crowd: Process, start: Start, open_page: OpenPage
) -> None:
    crowd.kill()
    start("benchmarks.synthetic_fleet", crowd=200)
    alive = "#devices .node[data-name^=device-][data-life=alive]"
    for name, width in (("crowd", 1440), ("crowd-phone", 390)):
        view: View = await open_page(dashboard.url, width=width, height=900)
        await view.shows('.picture[data-mode="tiles"]')
        await view.becomes(f"document.querySelectorAll('{alive}').length === 200")
        await fits(view)
        assert await view.page.locator("#lines path").count() == 0
        await screenshot(view, name)
        assert view.complaints == []
