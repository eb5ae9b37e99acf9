"""`tercet models`: one file per verb; the work is done in `tercet.models`."""

from __future__ import annotations

import typer

from tercet.cli.models import (
    add,
    build,
    evaluate,
    fit,
    get,
    import_weights,
    list_families,
    profile,
    quantise,
    remove,
)

app = typer.Typer(
    help="Build, import, quantise, measure and fit the model variants.",
    no_args_is_help=True,
    epilog="Example: [bold]tercet models fit --data ~/parts[/] makes all eight for your classes.",
)
app.command(epilog=build.EPILOG)(build.build)
app.command(epilog=get.EPILOG)(get.get)
app.command("import", epilog=import_weights.EPILOG)(import_weights.import_weights)
app.command(epilog=add.EPILOG)(add.add)
app.command(epilog=remove.EPILOG)(remove.remove)
app.command("list", epilog=list_families.EPILOG)(list_families.list_families)
app.command(epilog=quantise.EPILOG)(quantise.quantise)
app.command(epilog=evaluate.EPILOG)(evaluate.evaluate)
app.command(epilog=fit.EPILOG)(fit.fit)
app.command(epilog=profile.EPILOG)(profile.profile)
