"""The system under test: the processes of `tercet up`, some behind relays, on a small disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.chaos import shifted_clock
from tercet.messaging import broker, declare
from tercet.messaging.bus import connect
from tercet.messaging.operator_settings import write_goal
from tercet.messaging.relay import query_relay
from tercet.messaging.relay_link import OFF
from tercet.models.cpu_share import EMULATED_CPU_SHARES
from tercet.models.paper_family import ensure
from tercet.process.settings import BusSettings
from tercet.process.supervisor import Child, Supervisor, module, service
from tercet.schemas.goal import GoalSet

BROKER = "nats-server"
RELAYED = ("device-1", "edge-1")
"""Nodes whose connection to the broker can be cut or delayed."""
NODES = {"device-1": "device", "device-2": "device", "edge-1": "edge", "cloud": "cloud"}
DEVICES = tuple(name for name, tier in NODES.items() if tier == "device")
EPHEMERAL = 30_000
"""Ports below are not assigned to outgoing connections by the kernel."""
MIB = 2**20
DISK_MIB = 768
"""Size of the volume of the streams."""


class System:
    """Processes by name, and the faults that can be injected; made by `running`."""

    def __init__(
        self, folder: Path, models: Path, on_restart: Callable[[str, int, str], None]
    ) -> None:
        self.folder, self.models = folder, str(models)
        for name in ("logs", "clocks", "spools", "disk"):
            (folder / name).mkdir()
        self.supervisor = Supervisor(folder / "logs", on_restart)
        self.names: list[str] = []
        self.url, self.small_disk = "", False
        self._control = broker.free_port()
        self._ports: dict[str, int] = {}

    async def begin(self, external_devices: int, workers: int, period: float) -> None:
        """Start broker, relay and every service; the orchestrator waits for all devices."""
        self.small_disk = _mounted(self.folder / "disk")
        store = self.folder / "disk" / "store"
        store.mkdir()
        port = broker.free_port()
        command = broker.command(store, port)
        _raise_stream_limit(store / "nats.conf")
        server = await self.supervisor.start(Child(BROKER, tuple(command), stops_last=True))
        self.names.append(BROKER)
        self.url = await broker.wait_until_listening(store, server.pid)
        async with connect(BusSettings(bus_url=self.url), "chaos") as bus:
            await declare.declare(bus.js)
            await write_goal(bus, GoalSet(goal="85", by="benchmarks chaos"))
        ports = await self._relays(port)
        for node, tier in NODES.items():
            url = f"nats://127.0.0.1:{ports[node]}" if node in ports else self.url
            await self._node(node, tier, url)
        settings = {
            "devices": str(len(DEVICES) + external_devices),
            "nodes": str(len(NODES) + external_devices),
        }
        settings |= {"bus_url": self.url, "goal": "85", "round_period": str(period)}
        await self._start("orchestrator", service("orchestrator", "--role=decide", **settings))
        await self._start("learner", service("orchestrator", "--role=learn", **settings))
        for k in range(1, workers + 1):
            await self._start(f"world-model-{k}", service("world_model", bus_url=self.url))
        page = {"dashboard_port": str(broker.free_port())}
        await self._start("dashboard", service("dashboard", bus_url=self.url, **page))

    async def _relays(self, upstream: int) -> dict[str, int]:
        ports = {name: broker.free_port() for name in RELAYED}
        settings = {"upstream": f"127.0.0.1:{upstream}", "links": json.dumps(ports)}
        settings |= {"relay_host": "127.0.0.1", "relay_control": str(self._control)}
        await self._start("relay", module("relay", "tercet.messaging.relay", **settings))
        return ports

    async def _node(self, node: str, tier: str, url: str) -> None:
        mine = {"bus_url": url, "node": node}
        running = {**mine, "models": self.models, "cpu_share": str(EMULATED_CPU_SHARES[tier])}
        home = {"home": "edge-1"} if tier == "device" else {}
        await self._start(f"inference-{node}", service("inference", tier=tier, **running, **home))
        await self._start(f"monitor-{node}", service("monitor", run_pid=str(os.getpid()), **mine))
        if tier == "device":
            spool = {"spool": str(self.folder / "spools" / node)}
            await self._start(node, service("gateway", **running, **spool, gateway_port="0"))

    async def _start(self, name: str, child: Child) -> None:
        shift = {shifted_clock.VARIABLE: str(self.folder / "clocks" / name)}
        environment = {**child.environment, **shift}
        command = shifted_clock.with_shifted_clock(child.command)
        if name != "relay":
            self._ports[name] = _free_below(EPHEMERAL, [*self._ports.values()])
            environment["TERCET_HEALTH_PORT"] = str(self._ports[name])
        child = replace(child, name=name, command=command, environment=environment)
        await self.supervisor.start(child)
        self.names.append(name)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process, if it runs."""
        pid = self.supervisor.pid(name)
        if pid is not None:
            os.kill(pid, number)

    async def ready(self, names: Iterable[str], timeout_s: float) -> bool:
        """Wait until /readyz of each service returns 200; False after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                for port in [self._ports[name] for name in names if name in self._ports]:
                    while not await asyncio.to_thread(_is_ready, port):  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
        except TimeoutError:
            return False
        return True

    def counted(self, name: str, counter: str) -> dict[str, float]:
        """Values of a service's counter on /metrics, by kind. Blocking."""
        address = f"http://127.0.0.1:{self._ports[name]}/metrics"
        with urllib.request.urlopen(address, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found = [line for line in lines if line.startswith(f"{counter}_total{{")]
        return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in found}

    def shift(self, name: str, seconds: float) -> None:
        """Shift a process's wall clock; 0: correct again."""
        (self.folder / "clocks" / name).write_text(str(seconds))

    async def link(self, name: str, delay_ms: float | None) -> None:
        """Delay the messages of a node; None cuts the connection."""
        await query_relay(self._control, [f"{name}={OFF if delay_ms is None else delay_ms}"])

    def fill_disk(self) -> None:
        """Fill the volume of the streams. Blocking."""
        end = 0
        with (self.folder / "disk" / "ballast").open("wb") as ballast:
            for piece in (64 * MIB, MIB, 4096):  # The streams go on writing meanwhile.
                with contextlib.suppress(OSError):
                    while True:
                        os.posix_fallocate(ballast.fileno(), end, piece)
                        end += piece

    def free_disk(self) -> None:
        """Free the volume again."""
        (self.folder / "disk" / "ballast").unlink(missing_ok=True)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_below(highest: int, taken: list[int]) -> int:
    """A port that stays free for its service while the service restarts."""
    port = (min(taken) if taken else highest - os.getpid() % 100 * 100) - 1
    while not broker.port_is_free(port):
        port -= 1
    return port


def _raise_stream_limit(configuration: Path) -> None:
    """Raise the broker's storage limit above the volume's size, so that the volume can fill."""
    text = configuration.read_text()
    limit = "sync_interval: always, max_file_store: 8GB"
    configuration.write_text(text.replace("sync_interval: always", limit))


def _mounted(folder: Path) -> bool:
    """Mount a small volume; False where that is not permitted. Blocking."""
    command = ("mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tercet-chaos", str(folder))
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _unmount(folder: Path) -> None:
    subprocess.run(("umount", "-l", str(folder)), check=False)


@asynccontextmanager
async def running(
    external_devices: int, workers: int, period: float, on_restart: Callable[[str, int, str], None]
) -> AsyncIterator[System]:
    """A started system; all processes are stopped and all files removed on exit."""
    with tempfile.TemporaryDirectory(prefix="tercet-chaos-") as scratch:
        models = (await asyncio.to_thread(ensure)).directory
        system = System(Path(scratch), models, on_restart)
        try:
            await system.begin(external_devices, workers, period)
            yield system
        finally:
            for name in system.names:
                system.signal(name, signal.SIGCONT)
            await system.supervisor.stop()
            if system.small_disk:
                await asyncio.to_thread(_unmount, system.folder / "disk")
