"""A TCP relay that delays outgoing traffic: a weak link on one host, adjustable while it runs.

`python -m tercet.messaging.relay` listens on one port per link and forwards each connection to
the upstream. Traffic to the upstream is delayed by `delay_ms`, traffic back is not (paper, Table
IV: a weak link delays outgoing traffic by 20 ms). `--set device-1=20` or `--set edge-1=off`
changes a running relay through its control port, on loopback only; `--show` prints its state.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tercet.messaging.relay_link import RelayLink, close_writer
from tercet.process import log
from tercet.process.errors import Misconfigured
from tercet.process.settings import PREFIX, read

ANSWER_TIMEOUT_S = 3.0
"""Seconds in which a running relay must answer a change."""

_log = log.get(__name__)


class RelaySettings(BaseSettings):
    """Read from `TERCET_…`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    upstream: str = Field("127.0.0.1:4222", pattern=r"^[^:\s]+:\d{1,5}$")
    """Host and port that every link leads to."""
    links: dict[str, int] = {"device-1": 4301}
    """Name of each link and the port on which it listens, as JSON."""
    scenario: str = "A"
    """Which links are weak at start: a key of `scenarios`."""
    scenarios: dict[str, tuple[str, ...]] = {"A": ()}
    """Scenario to its weak links, as JSON; names that are no link here belong to other relays."""
    weak_ms: float = Field(20.0, ge=0, le=60_000)
    """Delay of a weak link's outgoing bytes, milliseconds."""
    relay_host: str = "0.0.0.0"
    """Address to listen on; the control port listens on loopback whatever this says."""
    relay_control: int = Field(9465, ge=0, le=65535)
    """Port on loopback through which a running relay is changed."""


class Relay:
    """The links of one process, by name."""

    def __init__(self, links: dict[str, RelayLink]) -> None:
        self.links = links

    def show(self) -> dict[str, float | str]:
        """Each link's delay in milliseconds, or "off"."""
        return {name: link.state for name, link in self.links.items()}

    async def change(self, setting: str) -> None:
        """Apply `NAME=MILLISECONDS` or `NAME=off`; raises ValueError naming what is wrong."""
        name, equals, value = setting.partition("=")
        if not equals or name not in self.links:
            known = ", ".join(self.links)
            raise ValueError(
                f"{setting!r}: expected LINK=MILLISECONDS or LINK=off, LINK in {known}"
            )
        await self.links[name].set_state(value)
        _log.info("link changed", link=name, state=self.links[name].state)

    async def on_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one line of changes, separated by spaces; write the resulting state as JSON."""
        with contextlib.suppress(ConnectionError):
            line = (await reader.readline()).decode(errors="replace")
            try:
                for setting in line.split():
                    await self.change(setting)
                answer: dict[str, object] = {"links": self.show()}
            except (ValueError, OSError) as error:
                answer = {"error": str(error)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        await close_writer(writer)


@asynccontextmanager
async def relaying(settings: RelaySettings) -> AsyncIterator[Relay]:
    """Relay while inside; raises Misconfigured for an unknown scenario or a port in use."""
    if settings.scenario not in settings.scenarios:
        known = ", ".join(settings.scenarios)
        raise Misconfigured(f"TERCET_SCENARIO: no scenario {settings.scenario!r}; one of {known}")
    weak = settings.scenarios[settings.scenario]
    host, _, port = settings.upstream.rpartition(":")
    async with contextlib.AsyncExitStack() as stack:
        links = {}
        try:
            for name, listen in settings.links.items():
                delay_ms = settings.weak_ms if name in weak else 0.0
                link = RelayLink((host, int(port)), delay_ms)
                await link.listen(settings.relay_host, listen)
                stack.push_async_callback(link.close)
                links[name] = link
            relay = Relay(links)
            control = await asyncio.start_server(
                relay.on_control, "127.0.0.1", settings.relay_control
            )
        except OSError as error:
            raise Misconfigured(f"relay: {error.strerror or error}") from error
        async with control:
            yield relay


async def _serve(settings: RelaySettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with relaying(settings) as relay:
        _log.info("relay started", upstream=settings.upstream, links=relay.show())
        await stop.wait()


async def query_relay(port: int, changes: list[str]) -> dict[str, object]:
    """Change the links of a running relay on this host, return them; raises Misconfigured."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(" ".join(changes).encode() + b"\n")
            try:
                answer: dict[str, object] = json.loads(await reader.readline())
            finally:
                await close_writer(writer)
    except (OSError, TimeoutError, ValueError) as error:
        raise Misconfigured(f"no relay answers on port {port}: {error!r}") from error
    if "error" in answer:
        raise Misconfigured(str(answer["error"]))
    return answer


def main() -> None:
    """Serve, or change and show a running relay."""
    parser = argparse.ArgumentParser(prog="python -m tercet.messaging.relay")
    parser.add_argument("--set", nargs="+", metavar="LINK=MS", help="milliseconds, or off")
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    log.configure("relay")
    try:
        settings = read(RelaySettings)
        if arguments.set or arguments.show:
            state = asyncio.run(query_relay(settings.relay_control, arguments.set or []))
            print(json.dumps(state))
        else:
            asyncio.run(_serve(settings))
    except Misconfigured as error:
        _log.error("misconfigured", reason=str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
