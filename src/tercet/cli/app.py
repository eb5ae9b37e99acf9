"""The verbs of `tercet`. Each verb's module is imported only when that verb is called.

A verb `x` is the module `tercet.cli.x`. It has a function `x` and its examples, `EPILOG`; or, for a
group of verbs, a `typer.Typer` named `app`.
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import tercet as tercet_package

ABOUT = "Learns online where each inference runs (device, edge, cloud) and with which model."

VERBS = {
    "up": "Start everything on this host, learn, and compare the policy with fixed policies.",
    "serve": "Start all but the fleet, which comes from outside.",
    "learn": "Run any agent on any environment, and print its regret after every step.",
    "classify": "Classify pictures through the running system, or in this process.",
    "goal": "Print the goal in force, or set it; nothing needs to be relearned.",
    "status": "Print the state of the running system.",
    "dashboard": "Serve the dashboard until stopped, and print its address.",
    "watch": "Watch rounds, devices and training as they happen.",
    "explain": "Explain why a device is assigned its option.",
    "decisions": "Replay decisions, or follow them.",
    "explore": "Print whether the policy explores, pause exploration (off), or resume it (on).",
    "doctor": "Check broker, streams, clocks, services, fleet, models and disk; advise what to do.",
    "audit": "Compare the experience stream with the experience that each trainer has in effect.",
    "reset": "Empty the experience streams and the parameters; a running system starts anew.",
    "experience": "Real experience, for analysis elsewhere.",
    "models": "Build, import, quantise, measure and fit the model variants.",
    "policy": "Which version of the policy decides: list them, pin one, roll back.",
    "topology": "Print or declare the streams and durable consumers.",
    "secure": "Make a site's keys, certificates and rights, offline.",
    "scale": "Set the number of containers of one service of the compose project.",
    "logs": "Print the logs of containers, each line with the container's name.",
    "chaos": "Kill containers of the compose project, and wait until they are healthy again.",
}
"""Verb to the first line of its help, in the order of `tercet --help`."""

EPILOG = (
    "Examples: [bold]tercet up --rounds 60[/]; [bold]tercet status[/]; "
    "[bold]tercet up --help[/] lists the options of a verb.\n\n"
    "Exit codes: 0 done or stopped; 1 something is wrong (doctor, audit, or an internal error); "
    "2 bad input or no broker, with the reason on stderr."
)


class VerbGroup(TyperGroup):
    """All verbs by name; the list of them needs no verb's module."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the verbs."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """The verb, imported; None when there is none of that name."""
        if cmd_name not in VERBS:
            return None
        if self._listing:
            return TyperCommand(cmd_name, help=VERBS[cmd_name])
        return load(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """List the verbs from the table above."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def load(verb: str) -> TyperCommand | TyperGroup:
    """Import a verb as a command, or as a group of commands."""
    module: Any = import_module(f"tercet.cli.{verb}")
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    if hasattr(module, "app"):
        alone.add_typer(module.app, name=verb)
    else:
        alone.command(verb, epilog=module.EPILOG)(getattr(module, verb))
    alone.callback()(lambda: None)  # With one, Typer makes a group even of a single command.
    group: Any = get_command(alone)
    command: TyperCommand | TyperGroup = group.commands[verb]
    return command


def print_version(wanted: bool) -> None:
    """Print the version of the installed distribution, and exit."""
    if wanted:
        print(f"tercet {tercet_package.__version__}")
        raise typer.Exit


app = typer.Typer(
    name="tercet",
    cls=VerbGroup,
    help=ABOUT,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback(epilog=EPILOG, help=ABOUT)
def tercet(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=print_version, is_eager=True, help="Print the version, and exit."
        ),
    ] = False,
) -> None:
    """Configure the log before any verb, whose module has been imported by now."""
    from tercet.process import log

    log.configure("tercet", "ERROR")
    gc.enable()
