"""The verbs of `tercet`, gathered."""

from __future__ import annotations

import typer

from cli import audit, dashboard, goal, reset, status, topology, up

app = typer.Typer(
    name="tercet",
    help="Learns online where each inference runs (device, edge, cloud) and with which model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def tercet() -> None:
    """Learns online where each inference runs (device, edge, cloud) and with which model."""


app.command(epilog=up.EPILOG)(up.up)
app.command(epilog=goal.EPILOG)(goal.goal)
app.command(epilog=status.EPILOG)(status.status)
app.command(epilog=dashboard.EPILOG)(dashboard.dashboard)
app.command(epilog=audit.EPILOG)(audit.audit)
app.command(epilog=reset.EPILOG)(reset.reset)
app.add_typer(topology.app, name="topology")
