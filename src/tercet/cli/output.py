"""How verbs print: tables on a terminal, tab-separated lines in a pipe, JSON for programs.

Text from the bus may be hostile. `clean` makes control characters visible, so that no text can
move the cursor, change colours or turn the reading direction, and rich never parses it as markup.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

MAX_CELL = 200
"""Characters printed of one cell."""


def clean(value: Any, longest: int = MAX_CELL) -> str:
    """One harmless line: control and format characters as `\\x1b`, long text cut."""
    text = str(value)
    shown = "".join(
        c if _harmless(c) else c.encode("unicode_escape").decode() for c in text[:longest]
    )
    return shown + "…" if len(text) > longest else shown


def _harmless(character: str) -> bool:
    return character == " " or unicodedata.category(character)[0] not in "CZ"


def number(value: float | None, digits: int = 1, unit: str = "") -> str:
    """A number for people; – when there is none."""
    return "–" if value is None else f"{value:.{digits}f}{unit}"


def as_json(found: Any, *, flush: bool = False) -> None:
    """Print one JSON value; ASCII, so that a terminal is safe here too."""
    print(json.dumps(found, default=str), flush=flush)


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table: drawn on a terminal; else a title line and tab-separated rows."""
    cells = [[clean(cell) for cell in row] for row in rows]
    if not is_terminal():
        print(f"# {title}")
        for line in ([*columns], *cells):
            print("\t".join(line))
        return
    from rich.console import Console

    Console().print(drawn(title, columns, cells))


def is_terminal() -> bool:
    """Whether stdout is a terminal, or the environment tells rich that it is."""
    if not (sys.stdout.isatty() or os.environ.keys() & {"FORCE_COLOR", "TTY_COMPATIBLE"}):
        return False
    from rich.console import Console

    return Console().is_terminal


def drawn(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table of cleaned cells; columns of numbers are aligned to the right."""
    from rich.table import Table
    from rich.text import Text

    lines = [[clean(cell) for cell in row] for row in rows]
    table = Table(title=Text(title), title_justify="left")
    for k, column in enumerate(columns):
        right = bool(lines) and all(_numeric(line[k]) for line in lines)
        table.add_column(Text(column), justify="right" if right else "left")
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    return table


def _numeric(cell: str) -> bool:
    return cell == "–" or cell[:1].isdigit() or (cell[:1] == "-" and cell[1:2].isdigit())


def show_rows(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print dicts as a table; their keys are the columns."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    names = [column.replace("_", " ") for column in columns]
    show(title, names, [[_cell(row.get(column, "")) for column in columns] for row in rows])


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={part}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)
