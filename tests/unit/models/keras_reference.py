"""Compute Keras' logits: `python tests/unit/models/keras_reference.py DIRECTORY`.

Runs in a separate virtual environment with `tf_keras` (`make test-keras`). Loads each file into
`applications.MobileNet`, saves it with Keras, and writes the logits of the pictures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras_fixture
import numpy as np
from tf_keras.applications import mobilenet


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    pictures = mobilenet.preprocess_input(keras_fixture.pictures().astype(np.float32))
    logits = {}
    for width in keras_fixture.WIDTHS:
        ours = directory / "ours.h5"
        keras_fixture.write(ours, width)
        model = mobilenet.MobileNet(
            alpha=width, weights=str(ours), classifier_activation=None, dropout=0.0
        )
        model.save_weights(str(directory / keras_fixture.file_name(width)))
        logits[f"{width:g}"] = model(pictures, training=False).numpy()
        ours.unlink()
    np.savez_compressed(directory / "keras_logits.npz", **logits)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
