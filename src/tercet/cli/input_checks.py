"""Checks of all input before anything is started, so that bad input leaves nothing half done.

Each function raises UsageError, which names what was given.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tercet.cli.usage_error import UsageError
from tercet.messaging import broker
from tercet.models.errors import AssetError
from tercet.process.errors import Misconfigured
from tercet.process.extras import require
from tercet.rl.goal import Goal, parse_goal, required_accuracy

MAX_PORT = 65535
PAPER_DEVICES = 5
"""Devices that the paper's agent can decide for; ten options each make 10^5 joint actions."""

if TYPE_CHECKING:
    from rich.console import Console

    from tercet.models.manifest import Manifest


@contextmanager
def as_usage_errors() -> Iterator[None]:
    """Turn the errors of models, parsers and files into UsageError."""
    try:
        yield
    except (AssetError, ValueError) as error:
        raise UsageError(str(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:  # A full disk, or a folder without permission.
        where = f"{error.filename}: " if error.filename else ""
        raise UsageError(f"{where}{error.strerror or error}") from error


def pictures(folder: Path | None, console: Console) -> None:
    """Refuse a folder without pictures; name the files that will be skipped."""
    from tercet.models.images import load_pictures

    with as_usage_errors():
        _, skipped = load_pictures(folder)
    for name, reason in skipped:
        console.print(f"skipped picture {name}: {reason}", style="yellow", highlight=False)


def policy(name: str, devices: int) -> None:
    """Refuse the paper's agent without its extra, or for more devices than it can do."""
    if name != "hybrid-paper":
        return
    if devices > PAPER_DEVICES:
        raise UsageError(
            f"--policy hybrid-paper: at most {PAPER_DEVICES} devices, not {devices}: "
            "it chooses among all joint assignments"
        )
    paper_extra("--policy")


def paper_extra(option: str) -> None:
    """Refuse the paper's agent, which `option` names, without its extra."""
    try:
        require("torch", extra="paper")
    except Misconfigured as error:
        raise UsageError(f"{option} hybrid-paper: {error}") from error


def folders(**wanted: Path | None) -> None:
    """Refuse a folder, by its option's name, that cannot be made or written to."""
    for option, folder in wanted.items():
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise UsageError(f"--{option} {folder}: not a folder") from error
        except OSError as error:
            raise UsageError(f"--{option} {folder}: {error.strerror}") from error
        if not os.access(folder, os.W_OK):
            raise UsageError(f"--{option} {folder}: not writable")


def made(folder: Path) -> Path:
    """A folder, made if it is missing; its absolute path."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute()


def alone(given: str, **others: object) -> None:
    """Refuse options that would have no effect beside the one that is given."""
    for option, value in others.items():
        if value is not None:
            raise UsageError(f"--{option} does not go with {given}")


def port(number: int) -> None:
    """Refuse a port that is taken; 0 and -1 mean any free one."""
    if number <= 0:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            raise UsageError(f"--port {number}: {error.strerror}") from error


def port_or_free(wanted: int) -> int:
    """The port that is wanted, or any free one when that is taken."""
    return wanted if broker.port_is_free(wanted) else broker.free_port()


def ports_or_free(first: int, count: int) -> tuple[int, ...]:
    """The `count` ports from `first` on; for one that is taken, another free one."""
    wanted = range(first, first + count)
    chosen: list[int] = []
    for number in wanted:
        port = number if number <= MAX_PORT and broker.port_is_free(number) else 0
        while not port or port in chosen:
            port = broker.free_port()
        chosen.append(port)
    return tuple(chosen)


def models(
    folder: Path | None, console: Console, names: Sequence[str] | None = None
) -> list[Manifest]:
    """The families, by name or those to offer without one, the files of all variants verified.

    One that Tercet can build is built where it is not there, showing progress. Nothing is added to
    one that is there.
    """
    from tercet.cli import built_in_families
    from tercet.models import families, manifest

    with as_usage_errors(), console.status("checking the models") as status:

        def progress(variant: str, stage: str) -> None:
            status.update(f"building model {variant}: {stage}")
            if not console.is_terminal:
                console.print(f"building model {variant}: {stage}", highlight=False)

        root = folder or manifest.default_directory()
        there = families.directories(root)
        wanted = names or built_in_families.offered(there, is_chosen=folder is not None)
        for name in wanted:
            if name not in there and name in built_in_families.BUILDERS:
                built_in_families.BUILDERS[name](families.directory(root, name), progress)
        found = [manifest.load(one.directory) for one in families.chosen(root, wanted)]
        families.check_distinct(found)
        return found


def goal(text: str) -> Goal:
    """Refuse a goal that is malformed."""
    with as_usage_errors():
        return parse_goal(text)


def goals(given: Sequence[str]) -> dict[str, Goal]:
    """Goals by family, "" for that of all; UsageError names what is malformed, or given twice."""
    found: dict[str, Goal] = {}
    for text in given:
        family, equals, value = text.rpartition("=")
        if equals and not family:
            raise UsageError(f"--goal {text}: a family and its goal, such as doors=90")
        if family in found:
            raise UsageError(f"--goal {text}: given twice")
        found[family] = goal(value)
    return found


def family_goal(goal: Goal | None, family: Manifest) -> str:
    """The goal that is given, or the family's default; refused when no variant can reach it."""
    accuracies = {name: entry.accuracy_pct for name, entry in family.variants.items()}
    try:
        return reachable(family.default_goal if goal is None else goal, accuracies)
    except UsageError as error:
        raise UsageError(f"family {family.name}: {error}") from None


def reachable(goal: Goal, accuracies: Mapping[str, float]) -> str:
    """Refuse a goal that no variant can reach; return it in its normal form."""
    text = goal if isinstance(goal, str) else f"{goal:g}"
    if accuracies:
        best = max(accuracies, key=accuracies.__getitem__)
        if required_accuracy(goal, accuracies.values()) > accuracies[best]:
            raise UsageError(
                f"goal {text}: above the best variant's accuracy ({best}, {accuracies[best]} %)"
            )
    return text
