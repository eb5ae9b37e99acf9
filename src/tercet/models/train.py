"""Train one width on prepared pictures: `python -m tercet.models.train DIRECTORY WIDTH`.

Runs as a process of its own, started by `tercet.models.fit`. After each epoch it leaves a checkpoint, from
which the same command goes on. At the end it writes the float and the 8-bit model, measures both on
the pictures that were held out, and says their manifest entries (`tercet.models.worker_processes.work`).
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
from tercet.models.training_config import Prepared
from tercet.models.variants import Variant, named

FROM_NOTHING, FROM_WEIGHTS = 3e-3, 1e-3
"""Peak step sizes of AdamW."""
WARM_UP = 0.15
"""Share of all steps in which the step size rises to its peak; then it falls as a cosine."""
DECAY = 1e-4
SMOOTHING = 0.05
"""Label smoothing: a little doubt keeps the logits apart for eight bits."""


class Training:
    """One network on its way; all that is needed to go on is in `state`."""

    def __init__(self, prepared: Prepared, width: float) -> None:
        self.recipe, self.prepared = prepared.recipe, prepared
        self.width = width
        self.network: MobileNet = self._network(width, len(prepared.classes))
        # Depthwise convolutions train a third faster with the channels last in memory.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        start = self.recipe.start.get(width)
        self.rate = self.recipe.rate or (FROM_WEIGHTS if start else FROM_NOTHING)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), self.rate, weight_decay=DECAY)
        self.epoch, self.waited = 0, 0
        self.best: tuple[float, float] = (-1.0, math.inf)
        """Validation accuracy in percent and loss of the best epoch."""
        self.kept: dict[str, Tensor] = {}

    def _network(self, width: float, classes: int) -> MobileNet:
        torch.manual_seed(self.recipe.seed)
        start = self.recipe.start.get(width)
        if start is None:
            return MobileNet(width, classes)
        network = published_weights.read(start, headless=True)
        network.head = nn.Linear(network.head.in_features, classes)
        return network

    @property
    def over(self) -> bool:
        """Whether all epochs are done, or too many went by without a better one."""
        return self.epoch >= self.recipe.epochs or self.waited >= self.recipe.patience

    def state(self) -> dict[str, Any]:
        """For a checkpoint: tensors and plain numbers only."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": [self.epoch, self.waited, *self.best],
            "kept": self.kept,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.waited, *best = state["progress"]
        self.best, self.kept = (best[0], best[1]), state["kept"]

    def step(self) -> float:
        """One epoch of training; the mean loss. Its chance depends on seed and epoch only."""
        pictures, numbers = self.prepared.part("train")
        rng = np.random.default_rng([self.recipe.seed, self.epoch])
        losses = []
        drawn = list(batches(len(pictures), self.recipe.batch, rng))
        self.network.train()
        for k, chosen in enumerate(drawn):
            self._set_rate((self.epoch + k / len(drawn)) / self.recipe.epochs)
            pixels = augmented(pictures[chosen], self.recipe.input_px, self.recipe.flip, rng)
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
        """Keep the weights when they are the best so far."""
        pictures, numbers = self.prepared.part("validation")
        self.network.eval()
        logits = []
        with torch.no_grad():
            for first in range(0, len(pictures), self.recipe.batch):
                some = pictures[first : first + self.recipe.batch]
                logits.append(self.network(central(some, self.recipe.input_px)))
        scores, truth = torch.cat(logits), torch.from_numpy(numbers)
        accuracy = 100 * float((scores.argmax(dim=1) == truth).float().mean())
        loss = float(functional.cross_entropy(scores, truth))
        if (accuracy, -loss) > (self.best[0], -self.best[1]):
            self.best, self.waited = (accuracy, loss), 0
            self.kept = {k: v.clone() for k, v in self.network.state_dict().items()}
        else:
            self.waited += 1

    def finished(self) -> MobileNet:
        """The network with the best weights."""
        self.network.load_state_dict(self.kept)
        return self.network.eval()


def train(directory: Path, width: float, say: TextIO) -> None:
    """Train, write and measure one width."""
    torch.set_num_threads(1)  # Widths run in parallel, and the same seed gives the same weights.
    torch.use_deterministic_algorithms(True, warn_only=True)
    prepared = Prepared(directory)
    plain, small = named(width, "fp32"), named(width, "int8")
    training, checkpoint = Training(prepared, width), directory / f"{plain.name}.pt"
    if checkpoint.exists():
        training.resume(torch.load(checkpoint, weights_only=True))
        _say(say, plain, stage=f"goes on after epoch {training.epoch}")
    while not training.over:
        loss = training.step()
        draft = checkpoint.with_suffix(".draft")
        torch.save(training.state(), draft)
        draft.replace(checkpoint)
        _say(
            say, plain,
            stage=f"epoch {training.epoch}/{training.recipe.epochs}: loss {loss:.3f},"
            f" best validation {training.best[0]:.1f} %",
        )  # fmt: skip
    for variant, entry in _written(training.finished(), prepared, directory, plain, small, say):
        _say(say, variant, entry=entry.model_dump())


def _written(
    network: MobileNet, prepared: Prepared, directory: Path, plain: Variant, small: Variant,
    say: TextIO,
) -> list[tuple[Variant, Entry]]:  # fmt: skip
    """Both forms as files, measured: their manifest entries."""
    recipe, path = prepared.recipe, directory / f"{plain.name}.onnx"
    model = graph.to_onnx(network, recipe.input_px)
    path.write_bytes(model.SerializeToString(deterministic=True))
    start = recipe.start.get(network.width)
    how = f"transfer from {start.name}" if start else "from nothing"
    entry = weight_import.entry_of(
        path, width=plain.width, precision="fp32", input_px=recipe.input_px,
        accuracy_pct=0.0, accuracy_source="to be measured",
        labels=labels.write(directory, prepared.classes),
        weights=f"fitted to {recipe.data.name}, {how}",
    )  # fmt: skip
    _say(say, small, stage="quantise")
    smaller, _ = weight_import.small_entry(path, entry, small, directory, _calibration(prepared))
    _say(say, plain, stage="measure")
    both = {plain.name: entry, small.name: smaller}
    ranks, _ = evaluate.score(
        {name: (directory / e.file, e) for name, e in both.items()},
        dict.fromkeys(both, prepared.classes),
        prepared.split["test"],
    )
    found = []
    for row in (plain, small):
        data = f"{recipe.data.name} (held out)"
        measured = evaluate.measure(ranks[row.name], data, len(prepared.classes))
        metric = evaluate.metric_for(len(prepared.classes))
        revised = both[row.name].model_copy(update=evaluate.revision(measured, metric))
        found.append((row, revised))
    return found


def _calibration(prepared: Prepared) -> Calibration:
    """Training pictures to calibrate on, validation pictures to compare."""
    recipe, split, rng = prepared.recipe, prepared.split, np.random.default_rng(0)

    def some(samples: list[Sample], most: int) -> NDArray[np.float32]:
        order = [samples[k].path for k in rng.permutation(len(samples))]
        return np.concatenate(calibration.decoded(order, most, recipe.input_px))

    calibrate = some(split["train"], calibration.CALIBRATE)
    compare = some(split["validation"], calibration.COMPARE)
    source = f"{len(calibrate)} training pictures of {recipe.data.name}"
    return Calibration(calibrate, compare, source)


def _say(say: TextIO, variant: Variant, **facts: object) -> None:
    print(json.dumps({"variant": variant.name, **facts}), file=say, flush=True)


def main(arguments: list[str]) -> None:
    """Train; libraries that print do so on stderr, for stdout is for the lines above."""
    directory, width = arguments
    say = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        train(Path(directory), float(width), say)


if __name__ == "__main__":
    main(sys.argv[1:])
