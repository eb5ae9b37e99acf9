"""One command trains all eight variants, and decisions use their measured accuracies.

The whole path on scikit-learn's handwritten digits at 32 pixels: training, quantisation, held-out
measurement. Neighbouring widths differ less than the noise of so small a set; the widest and the
narrowest differ more.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tercet.experience.fleets import fleet_of
from tercet.models import fit, manifest, published_weights, worker_processes
from tercet.models.classifier import Classifier
from tercet.models.errors import ImageError, ModelError
from tercet.models.mobilenet import Block, MobileNet
from tercet.models.train import Training
from tercet.models.training_config import PreparedData, TrainingConfig, prepare
from tercet.services.inference.offer import Offer
from tercet.services.inference.settings import InferenceSettings
from tercet.services.orchestrator.decide.policy import by_profile
from tercet.services.orchestrator.decide.policy_interface import DecisionContext
from tests.unit.models import digits, keras_fixture

VERB = [sys.executable, "-m", "tercet.cli", "models", "fit", "--px", "32", "--no-flip"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_eight_for_the_digits_by_one_command(tmp_path: Path) -> None:
    data, directory = digits.write(tmp_path / "digits", every=2), tmp_path / "models"
    for digit in data.iterdir():
        (digit / "broken.png").write_bytes(b"")
    options = ["--data", str(data), "--epochs", "10", "--batch", "32"]
    done = subprocess.run(
        [*VERB, *options, "--models", str(directory), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("/broken.png: not a usable picture: zero bytes") == 10
    loaded = manifest.load(directory)
    assert loaded.variants.keys() == {f"d{k}" for k in range(8)} and not loaded.untrained
    score = {name: entry.accuracy_pct for name, entry in loaded.variants.items()}
    print(json.dumps(score))
    assert json.loads(done.stdout)["variants"]["d0"]["accuracy_pct"] == score["d0"]
    for entry in loaded.variants.values():
        assert entry.input_px == 32 and entry.measured is not None
        assert entry.measured.pictures > 150 and entry.accuracy_pct == entry.measured.top1_pct
    assert score["d0"] > 85
    assert score["d0"] > score["d3"] + 3
    for number in range(4):
        assert abs(score[f"d{number}"] - score[f"d{number + 4}"]) < 6
    _decide_by_measured_accuracy(directory)
    assert not list(directory.glob(".fitting-*"))


def _decide_by_measured_accuracy(directory: Path) -> None:
    """A lower goal is met by a faster variant."""
    classifier = Classifier(directory)
    nodes = [("pi", "device", "edge-1"), ("edge-1", "edge", None), ("cloud", "cloud", None)]
    announced = [
        Offer(InferenceSettings(node=node, tier=tier, home=home), classifier).capability()
        for node, tier, home in nodes  # type: ignore[arg-type]
    ]
    fleet = fleet_of(announced)
    assert fleet is not None
    best = by_profile(DecisionContext(fleet, ("pi",), {}, "max"))["pi"]
    least = by_profile(DecisionContext(fleet, ("pi",), {}, "min"))["pi"]
    assert fleet.accuracy_pct[best.variant] == max(fleet.accuracy_pct.values())
    assert any(c.profile_ms[least.variant] == min(c.profile_ms.values()) for c in announced)
    goal = (fleet.accuracy_pct["d0"] + fleet.accuracy_pct["d3"]) / 2
    between = by_profile(DecisionContext(fleet, ("pi",), {}, f"{goal:.2f}"))["pi"]
    assert fleet.accuracy_pct[between.variant] >= goal


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_stopped_run_resumes(tmp_path: Path) -> None:
    data, directory = digits.write(tmp_path / "digits", every=12), tmp_path / "models"
    config = TrainingConfig(data=data, input_px=32, epochs=6, batch=32, flip=False)
    reports: list[tuple[str, str]] = []

    class Stop(Exception):
        pass

    def stop_after_one(variant: str, stage: str) -> None:
        reports.append((variant, stage))
        if stage.startswith("epoch 1"):
            raise Stop

    with pytest.raises(Stop):
        fit.fit(config, directory, stop_after_one, widths=[0.25])
    assert list(directory.glob(".fitting-*/d3.pt"))
    reports.clear()
    found = fit.fit(config, directory, lambda *report: reports.append(report), widths=[0.25])
    # The worker may have done more epochs before it was killed.
    assert reports[0][0] == "d3" and reports[0][1].startswith("resumes after epoch")
    assert not any(stage.startswith(("picture", "epoch 1/")) for _, stage in reports)
    assert found.manifest.variants.keys() == {"d3", "d7"}


def test_the_split_is_fixed_when_the_work_begins(tmp_path: Path) -> None:
    data, workspace = digits.write(tmp_path / "digits", every=12), tmp_path / "workspace"
    workspace.mkdir()
    config = TrainingConfig(data=data, input_px=32, flip=False)
    before = config.split()
    prepare(config, workspace, lambda _done, _total: None)
    shutil.copytree(data / "digit-3", data / "digit-33")
    assert PreparedData(workspace).split == before != config.split()


def test_a_changed_picture_changes_the_digest(tmp_path: Path) -> None:
    data = digits.write(tmp_path / "digits", every=12)
    config = TrainingConfig(data=data, input_px=32, flip=False)
    samples = config.split()["train"]
    before, file = config.digest(samples), samples[0].path
    assert config.digest(samples) == before
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 10**9))
    assert config.digest(samples) != before


def test_unusable_input_is_refused_before_training(tmp_path: Path) -> None:
    data, directory = digits.write(tmp_path / "digits", every=12), tmp_path / "models"
    config = TrainingConfig(data=data, input_px=32, flip=False)
    for sample in config.split()["test"]:
        sample.path.write_bytes(b"")
    with pytest.raises(ImageError, match="no held-out picture is usable"):
        fit.fit(config, directory, widths=[0.25])
    (directory / manifest.FILE_NAME).write_text("{")
    with pytest.raises(ModelError, match="malformed"):
        fit.fit(config, directory, widths=[0.25])


def test_start_weights_keep_the_body_and_change_the_head(tmp_path: Path) -> None:
    file = tmp_path / keras_fixture.file_name(0.25)
    keras_fixture.write(file, 0.25)
    start = fit.start_files([file])
    assert start == {0.25: file}
    body = published_weights.read(file, headless=True)
    assert isinstance(body, MobileNet) and body.head.out_features == 1000
    with pytest.raises(ModelError, match="of the same width"):
        fit.start_files([file, file])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_weights_trained_on_other_classes_are_a_better_start(tmp_path: Path) -> None:
    """Weights trained on the digits 5 to 9, in Keras' layout, are the start for 0 to 4."""
    whole = digits.write(tmp_path / "digits", every=2)
    others, own = tmp_path / "others", tmp_path / "own"
    for folder in sorted(whole.iterdir()):
        target = others if folder.name >= "digit-5" else own
        shutil.copytree(folder, target / folder.name)
    file = tmp_path / keras_fixture.file_name(0.25)
    keras_fixture.write(file, 0.25, _body(_trained(others, tmp_path / "trained")))
    found = {}
    for name, start in (("nothing", []), ("weights", [file])):
        config = TrainingConfig(
            data=own, input_px=32, epochs=2, batch=32, flip=False, start=fit.start_files(start)
        )
        loaded = fit.fit(config, tmp_path / name, widths=[0.25]).manifest
        found[name] = loaded.variants["d3"]
    print({name: entry.accuracy_pct for name, entry in found.items()})
    assert found["weights"].weights == f"fitted to own, transfer from {file.name}"
    assert found["weights"].accuracy_pct > found["nothing"].accuracy_pct + 10


def _trained(data: Path, workspace: Path) -> MobileNet:
    workspace.mkdir()
    config = TrainingConfig(data=data, input_px=32, epochs=10, batch=32, flip=False)
    prepare(config, workspace, lambda _done, _total: None)
    training = Training(PreparedData(workspace), 0.25)
    while not training.finished:
        training.step()
    return training.best_network()


def _body(network: MobileNet) -> list[tuple[str, keras_fixture.Arrays]]:
    """A trained body in Keras' axes, without its head (Keras' `no_top`)."""
    found: list[tuple[str, keras_fixture.Arrays]] = []
    for block in network.body:
        assert isinstance(block, Block)
        normal = block.normalisation
        roles = {
            "gamma": normal.weight,
            "beta": normal.bias,
            "moving_mean": normal.running_mean,
            "moving_variance": normal.running_var,
        }
        arrays = {role: t.detach().numpy() for role, t in roles.items() if t is not None}
        order = (2, 3, 0, 1) if block.layer.depthwise else (2, 3, 1, 0)
        kernel = block.convolution.weight.detach().numpy().transpose(order)
        role = "depthwise_kernel" if block.layer.depthwise else "kernel"
        found += [(block.layer.name, {role: kernel}), (f"{block.layer.name}_bn", arrays)]
    return found


BAD_INPUT = {
    "--px": ["--px", "16"],
    "labelled folder .*nowhere does not exist": ["--data", "nowhere"],
    "--epochs": ["--epochs", "0"],
    r"none\.h5 is missing": ["--from", "none.h5"],
}
"""Expected error to the options that cause it."""
RUN_EACH = """
import contextlib, io, json, sys
from tercet.cli.__main__ import main
for options in json.loads(sys.argv[1]):
    sys.argv = ["tercet", *options]
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, stderr.getvalue()]))
"""
"""Runs several command lines in one process: its imports take seconds."""


@pytest.fixture(scope="module")
def bad_input(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Exit status and stderr by expected error."""
    directory = tmp_path_factory.mktemp("bad-input")
    data = digits.write(directory / "digits", every=40)
    given = [*VERB[3:], "--data", str(data), "--models", str(directory / "models")]
    commands = json.dumps([[*given, *options] for options in BAD_INPUT.values()])
    done = subprocess.run(
        [sys.executable, "-c", RUN_EACH, commands], stdout=subprocess.PIPE, text=True,
        cwd=directory, check=True, env=worker_processes.environment(),
    )  # fmt: skip
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(BAD_INPUT, results, strict=True))


@pytest.mark.parametrize("reason", BAD_INPUT)
def test_bad_input_is_one_line_and_exit_2(
    bad_input: dict[str, tuple[int, str]], reason: str
) -> None:
    code, stderr = bad_input[reason]
    assert code == 2 and stderr.count("\n") == 1
    assert re.search(reason, stderr)
