"""The modules of the deciding role import each other at most five levels deep; none is long."""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

from tests.unit.test_architecture import imports

FOLDER = Path(__file__).parents[3] / "services" / "orchestrator" / "decide"
PACKAGE = "tercet.services.orchestrator.decide"
MODULES = {f"{PACKAGE}.{file.stem}": file for file in FOLDER.glob("*.py") if file.stem[0] != "_"}


def test_the_deciding_role_has_five_floors() -> None:
    needs = {
        module: {name for name in imports(file.read_text()) if name in MODULES and name != module}
        for module, file in MODULES.items()
    }
    floor: dict[str, int] = {}
    for module in TopologicalSorter(needs).static_order():
        floor[module] = 1 + max((floor[name] for name in needs[module]), default=0)
    assert max(floor.values()) == floor[f"{PACKAGE}.service"] <= 5, floor


def test_its_files_are_short() -> None:
    lengths = {file.name: len(file.read_text().splitlines()) for file in FOLDER.glob("*.py")}
    assert max(lengths.values()) <= 250, lengths
