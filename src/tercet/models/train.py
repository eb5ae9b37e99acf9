"""Train one width on prepared pictures: `python -m tercet.models.train DIRECTORY WIDTH`.

`tercet.models.fit` starts it as a separate process. It writes a checkpoint after each epoch, and
the same command resumes from it. At the end it writes the float and the 8-bit model, measures both
on the held-out pictures, and reports their manifest entries (`worker_processes.run_tasks`).
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tercet.models import calibration, evaluate, graph, labels, published_weights, weight_import
from tercet.models.batches import augmented, batches, central
from tercet.models.calibration import Calibration
from tercet.models.folders import Sample
from tercet.models.manifest import Entry
from tercet.models.mobilenet import MobileNet
from tercet.models.training_config import PreparedData
from tercet.models.variants import Variant, find_variant

RATE_FROM_SCRATCH, RATE_FROM_WEIGHTS = 3e-3, 1e-3
"""Peak learning rates of AdamW."""
WARM_UP = 0.15
"""Share of all steps in which the learning rate rises to its peak; then it falls as a cosine."""
DECAY = 1e-4
"""Weight decay of AdamW."""
SMOOTHING = 0.05
"""Label smoothing; it bounds the logits, which helps quantisation."""


class Training:
    """One network in training; `state` holds all that a checkpoint needs."""

    def __init__(self, prepared: PreparedData, width: float) -> None:
        self.config, self.prepared = prepared.config, prepared
        self.width = width
        self.network: MobileNet = self._network(width, len(prepared.classes))
        # Depthwise convolutions train a third faster with the channels last in memory.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        start = self.config.start.get(width)
        self.rate = self.config.rate or (RATE_FROM_WEIGHTS if start else RATE_FROM_SCRATCH)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), self.rate, weight_decay=DECAY)
        self.epoch, self.stale_epochs = 0, 0
        self.best: tuple[float, float] = (-1.0, math.inf)
        """Validation accuracy in percent and loss of the best epoch."""
        self.best_weights: dict[str, Tensor] = {}

    def _network(self, width: float, classes: int) -> MobileNet:
        torch.manual_seed(self.config.seed)
        start = self.config.start.get(width)
        if start is None:
            return MobileNet(width, classes)
        network = published_weights.read(start, headless=True)
        network.head = nn.Linear(network.head.in_features, classes)
        return network

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or validation has not improved for `patience` epochs."""
        return self.epoch >= self.config.epochs or self.stale_epochs >= self.config.patience

    def state(self) -> dict[str, Any]:
        """State for a checkpoint: tensors and plain numbers only."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": [self.epoch, self.stale_epochs, *self.best],
            "kept": self.best_weights,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.stale_epochs, *best = state["progress"]
        self.best, self.best_weights = (best[0], best[1]), state["kept"]

    def step(self) -> float:
        """Train one epoch; return the mean loss. Its randomness depends on seed and epoch only."""
        pictures, numbers = self.prepared.part("train")
        rng = np.random.default_rng([self.config.seed, self.epoch])
        losses = []
        epoch_batches = list(batches(len(pictures), self.config.batch, rng))
        self.network.train()
        for k, chosen in enumerate(epoch_batches):
            self._set_rate((self.epoch + k / len(epoch_batches)) / self.config.epochs)
            pixels = augmented(pictures[chosen], self.config.input_px, self.config.flip, rng)
            truth = torch.from_numpy(numbers[chosen])
            loss = functional.cross_entropy(self.network(pixels), truth, label_smoothing=SMOOTHING)
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            self.optimiser.step()
            losses.append(loss.item())
        self.epoch += 1
        self._validate()
        return float(np.mean(losses))

    def _set_rate(self, progress: float) -> None:
        rising = progress / WARM_UP
        falling = 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * (max(rising, 0.02) if rising < 1 else falling)

    def _validate(self) -> None:
        """Measure accuracy and loss, and keep the weights when they are the best so far."""
        pictures, numbers = self.prepared.part("validation")
        self.network.eval()
        logits = []
        with torch.no_grad():
            for first in range(0, len(pictures), self.config.batch):
                some = pictures[first : first + self.config.batch]
                logits.append(self.network(central(some, self.config.input_px)))
        scores, truth = torch.cat(logits), torch.from_numpy(numbers)
        accuracy = 100 * float((scores.argmax(dim=1) == truth).float().mean())
        loss = float(functional.cross_entropy(scores, truth))
        if (accuracy, -loss) > (self.best[0], -self.best[1]):
            self.best, self.stale_epochs = (accuracy, loss), 0
            self.best_weights = {k: v.clone() for k, v in self.network.state_dict().items()}
        else:
            self.stale_epochs += 1

    def best_network(self) -> MobileNet:
        """The network with the best weights."""
        self.network.load_state_dict(self.best_weights)
        return self.network.eval()


def train(directory: Path, width: float, output: TextIO) -> None:
    """Train, write and measure one width."""
    torch.set_num_threads(1)  # Widths run in parallel, and the same seed gives the same weights.
    torch.use_deterministic_algorithms(True, warn_only=True)
    prepared = PreparedData(directory)
    plain, small = find_variant(width, "fp32"), find_variant(width, "int8")
    training, checkpoint = Training(prepared, width), directory / f"{plain.name}.pt"
    if checkpoint.exists():
        training.resume(torch.load(checkpoint, weights_only=True))
        _report(output, plain, stage=f"resumes after epoch {training.epoch}")
    while not training.finished:
        loss = training.step()
        draft = checkpoint.with_suffix(".draft")
        torch.save(training.state(), draft)
        draft.replace(checkpoint)
        _report(
            output, plain,
            stage=f"epoch {training.epoch}/{training.config.epochs}: loss {loss:.3f},"
            f" best validation {training.best[0]:.1f} %",
        )  # fmt: skip
    for variant, entry in _written(
        training.best_network(), prepared, directory, plain, small, output
    ):
        _report(output, variant, entry=entry.model_dump())


def _written(
    network: MobileNet, prepared: PreparedData, directory: Path, plain: Variant, small: Variant,
    output: TextIO,
) -> list[tuple[Variant, Entry]]:  # fmt: skip
    """Write and measure the float and the 8-bit model; return their manifest entries."""
    config, path = prepared.config, directory / f"{plain.name}.onnx"
    model = graph.to_onnx(network, config.input_px)
    path.write_bytes(model.SerializeToString(deterministic=True))
    start = config.start.get(network.width)
    how = f"transfer from {start.name}" if start else "from nothing"
    entry = weight_import.model_entry(
        path, width=plain.width, precision="fp32", input_px=config.input_px,
        accuracy_pct=0.0, accuracy_source="to be measured",
        labels=labels.write(directory, prepared.classes),
        weights=f"fitted to {config.data.name}, {how}",
    )  # fmt: skip
    _report(output, small, stage="quantise")
    smaller, _ = weight_import.quantised_entry(
        path, entry, small.name, directory, _calibration(prepared)
    )
    _report(output, plain, stage="measure")
    both = {plain.name: entry, small.name: smaller}
    ranks, _ = evaluate.score(
        {name: (directory / e.file, e) for name, e in both.items()},
        dict.fromkeys(both, prepared.classes),
        prepared.split["test"],
    )
    found = []
    for row in (plain, small):
        data = f"{config.data.name} (held out)"
        measured = evaluate.measure(ranks[row.name], data, len(prepared.classes))
        metric = evaluate.default_metric(len(prepared.classes))
        revised = both[row.name].model_copy(update=evaluate.entry_update(measured, metric))
        found.append((row, revised))
    return found


def _calibration(prepared: PreparedData) -> Calibration:
    """Training pictures for calibration, validation pictures for comparison."""
    config, split, rng = prepared.config, prepared.split, np.random.default_rng(0)

    def inputs(samples: list[Sample], limit: int) -> NDArray[np.float32]:
        order = [samples[k].path for k in rng.permutation(len(samples))]
        return np.concatenate(calibration.decoded(order, limit, config.input_px))

    calibrate = inputs(split["train"], calibration.MAX_CALIBRATION)
    compare = inputs(split["validation"], calibration.MAX_COMPARISON)
    source = f"{len(calibrate)} training pictures of {config.data.name}"
    return Calibration(calibrate, compare, source)


def _report(output: TextIO, variant: Variant, **facts: object) -> None:
    print(json.dumps({"variant": variant.name, **facts}), file=output, flush=True)


def main(arguments: list[str]) -> None:
    """Train. Prints of libraries go to stderr: stdout carries the reports only."""
    directory, width = arguments
    output = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        train(Path(directory), float(width), output)


if __name__ == "__main__":
    main(sys.argv[1:])
