"""The verbs of `tercet`, gathered."""

from __future__ import annotations

import typer

from tercet.cli import (
    audit,
    chaos,
    dashboard,
    decisions,
    doctor,
    experience,
    explain,
    explore,
    goal,
    logs,
    models,
    policy,
    reset,
    scale,
    status,
    topology,
    up,
    watch,
)
from tercet.cli.secure import app as secure

app = typer.Typer(
    name="tercet",
    help="Learns online where each inference runs (device, edge, cloud) and with which model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


EPILOG = (
    "Exit codes: 0 done or stopped; 1 something is wrong (doctor, audit, or a defect of ours); "
    "2 bad input or no broker, said on stderr; 130 interrupted (bench)."
)


@app.callback(epilog=EPILOG)
def tercet() -> None:
    """Learns online where each inference runs (device, edge, cloud) and with which model."""


app.command(epilog=up.EPILOG)(up.up)
app.command(epilog=goal.EPILOG)(goal.goal)
app.command(epilog=status.EPILOG)(status.status)
app.command(epilog=dashboard.EPILOG)(dashboard.dashboard)
app.command(epilog=watch.EPILOG)(watch.watch)
app.command(epilog=explain.EPILOG)(explain.explain)
app.command(epilog=decisions.EPILOG)(decisions.decisions)
app.command(epilog=explore.EPILOG)(explore.explore)
app.command(epilog=doctor.EPILOG)(doctor.doctor)
app.command(epilog=audit.EPILOG)(audit.audit)
app.command(epilog=reset.EPILOG)(reset.reset)
app.add_typer(experience.app, name="experience")
app.add_typer(models.app, name="models")
app.add_typer(policy.app, name="policy")
app.add_typer(topology.app, name="topology")
app.add_typer(secure, name="secure")
app.command(epilog=scale.EPILOG)(scale.scale)
app.command(epilog=logs.EPILOG)(logs.logs)
app.add_typer(chaos.app, name="chaos")
