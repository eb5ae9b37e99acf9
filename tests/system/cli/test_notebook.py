"""The notebook runs on an exported run and draws its figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tercet.messaging.bus import Bus
from tests.conftest import Server
from tests.integration.services.test_learning import ROUNDS
from tests.system.cli.test_verbs import tercet

ROOT = Path(__file__).parents[3]
NOTEBOOK = ROOT / "examples" / "analysis.ipynb"
EXECUTE = """
import sys, nbformat, nbclient
book = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(book, timeout=100, kernel_name="python3").execute()
nbformat.write(book, sys.argv[2])
"""


@pytest.mark.slow
async def test_it_draws_an_exported_run(bus: Bus, server: Server, tmp_path: Path) -> None:
    for experience in ROUNDS:
        await bus.publish(experience)
    file, done = tmp_path / "run.parquet", tmp_path / "done.ipynb"
    tercet("experience", "export", f"--parquet={file}", f"--bus={server.url}")
    subprocess.run(  # noqa: ASYNC221  (nothing else goes on in this loop)
        [sys.executable, "-c", EXECUTE, str(NOTEBOOK), str(done)],
        env={**os.environ, "TERCET_RUN": str(file), "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        timeout=110,
    )
    outputs = [o for cell in json.loads(done.read_text())["cells"] for o in cell.get("outputs", ())]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    printed = "".join(line for o in outputs for line in o.get("text", ()))
    assert len(pictures) == 2
    assert f"{2 * len(ROUNDS)} rows, rounds 1 to {len(ROUNDS)}" in printed
    assert printed.count(" of 20 rounds") == 2
    assert {o["output_type"] for o in outputs} <= {"stream", "display_data"}


def test_it_is_committed_without_results() -> None:
    """Results would be those of one host and one day."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(not c["outputs"] and c["execution_count"] is None for c in cells if "outputs" in c)
