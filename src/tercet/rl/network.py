"""The network that all devices share: response time of one device, M times over.

    log q_m(x_i, option_i, load) = w_m · [sparse columns, tanh(A_m z + b_m) / sqrt(H)]

One hidden layer whose weights are drawn once per member, skip connections from every sparse
column, and a last layer that is solved exactly (`tercet.rl.bayesian_regressor`). Each member has
two last layers: `mean`, the best estimate, and `sample`, a draw from the posterior less its mean;
mean + sample is a Thompson sample.

Parameters are a plain dict of arrays, so they travel as safetensors:

    columns        uint8    names of the D columns, joined by newlines
    mean, sample   [M, D]   last layer
    scale          [M, G]   spread of each group of columns: the prior of a new device
    hidden.weight  [M, H, F],  hidden.bias  [M, H]
    noise          [M]      standard deviation of log response time
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from tercet.rl.feature_layout import GROUPS, Layout
from tercet.rl.features import Rows

Floats = NDArray[np.float64]
Parameters = dict[str, NDArray[Any]]

NAMES = ("columns", "mean", "sample", "scale", "hidden.weight", "hidden.bias", "noise")

MAX_LOG_MS = 20.0
"""Largest predicted logarithm of milliseconds (5 days); keeps exp() finite."""


def pack(
    names: Sequence[str],
    mean: Floats,
    sample: Floats,
    scale: Floats,
    weight: Floats,
    bias: Floats,
    noise: Floats,
) -> Parameters:
    """Bundle arrays into parameters; float32."""
    text = np.frombuffer("\n".join(names).encode(), dtype=np.uint8).copy()
    arrays = zip(NAMES[1:], (mean, sample, scale, weight, bias, noise), strict=True)
    return {"columns": text, **{name: np.array(a, dtype=np.float32) for name, a in arrays}}


def stack(parts: Sequence[Parameters]) -> Parameters:
    """Join members that were trained apart; columns that a member lacks are zero.

    Raises ValueError when hidden layers differ in shape.
    """
    names = list(dict.fromkeys(name for part in parts for name in column_names(part)))
    if len({part["hidden.weight"].shape[1:] for part in parts}) != 1:
        raise ValueError("members have hidden layers of different shapes")
    joined = {key: np.concatenate([part[key] for part in parts]) for key in NAMES[3:]}
    for key in ("mean", "sample"):
        joined[key] = np.concatenate([_widened(part, key, names) for part in parts])
    text = np.frombuffer("\n".join(names).encode(), dtype=np.uint8).copy()
    return {"columns": text, **joined}


def select(parameters: Parameters, slots: Sequence[int]) -> Parameters:
    """Only the members `slots`, in that order."""
    index = list(slots)
    return {k: v if k == "columns" else v[index] for k, v in parameters.items()}


def _widened(part: Parameters, key: str, names: Sequence[str]) -> NDArray[Any]:
    """One member's rows of `key` over the union of columns."""
    present = column_names(part)
    if list(present) == list(names):
        return part[key]
    position = {name: k for k, name in enumerate(present)}
    index = np.array([position.get(name, -1) for name in names])
    return np.where(index >= 0, part[key][:, index], np.zeros((), dtype=part[key].dtype))


def column_names(parameters: Parameters) -> tuple[str, ...]:
    """Names of the D columns."""
    return tuple(bytes(parameters["columns"].tobytes()).decode().split("\n"))


def members(parameters: Parameters) -> int:
    """Number of members or heads, M."""
    return int(parameters["mean"].shape[0])


def hidden_width(parameters: Parameters) -> int:
    """Width of the hidden layer, H."""
    return int(parameters["hidden.weight"].shape[1])


def to_bytes(parameters: Parameters) -> bytes:
    """Serialise as safetensors."""
    return safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in parameters.items()})


def from_bytes(data: bytes) -> Parameters:
    """Read what `to_bytes` wrote; raises ValueError with the reason for anything else."""
    try:
        parameters: Parameters = safetensors.numpy.load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"not safetensors: {error}") from error
    check(parameters)
    return parameters


def check(parameters: Parameters) -> None:
    """Raise ValueError unless names, shapes and values make a network."""
    if set(parameters) != set(NAMES):
        raise ValueError(f"parameters are named {sorted(parameters)}, expected {sorted(NAMES)}")
    try:
        width = len(column_names(parameters))
    except UnicodeDecodeError as error:
        raise ValueError("column names are not text") from error
    m, h, f = (*parameters["hidden.weight"].shape, 0, 0, 0)[:3]
    expected = {
        "mean": (m, width),
        "sample": (m, width),
        "scale": (m, len(GROUPS)),
        "hidden.weight": (m, h, f),
        "hidden.bias": (m, h),
        "noise": (m,),
    }
    for name, shape in expected.items():
        tensor = parameters[name]
        if tuple(tensor.shape) != shape or m == 0:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}, expected {shape}")
        if not np.issubdtype(tensor.dtype, np.floating) or not np.isfinite(tensor).all():
            raise ValueError(f"{name} is not finite floating point")


def hidden_features(rows: Rows, weight: Floats, bias: Floats) -> Floats:
    """tanh(A z + b) / sqrt(H) for one member, [R, H]."""
    activation: Floats = np.tanh(rows.z @ weight.T + bias) / np.sqrt(len(bias))
    return activation


def align(
    parameters: Parameters, layout: Layout, rng: np.random.Generator | None
) -> tuple[Floats, Floats]:
    """Last layers (mean, mean + sample) [M, D] in the order of `layout`.

    A column that the parameters lack is at its prior: the mean, and with `rng` a fresh draw.
    """
    names = column_names(parameters)
    position = {name: k for k, name in enumerate(names)}
    index = np.array([position.get(name, -1) for name in layout.names])
    known = index >= 0
    mean = np.where(known, parameters["mean"].astype(np.float64)[:, index], layout.prior_mean)
    sample = np.where(known, parameters["sample"].astype(np.float64)[:, index], 0.0)
    if rng is not None and not known.all():
        spread = parameters["scale"].astype(np.float64)[:, layout.group]
        sample = np.where(known, sample, spread * rng.standard_normal(sample.shape))
    return mean, mean + sample


def log_response(parameters: Parameters, layout: Layout, rows: Rows, weights: Floats) -> Floats:
    """Predicted log milliseconds, [M, R], for last layers `weights` [M, D] (see `align`)."""
    sparse = rows.sparse_dot(weights)
    first = layout.start["hidden"]
    a, b = (
        parameters["hidden.weight"].astype(np.float64),
        parameters["hidden.bias"].astype(np.float64),
    )
    for m in range(len(weights)):
        hidden = hidden_features(rows, a[m], b[m])
        sparse[m] += hidden @ weights[m, first : first + hidden.shape[1]]
    return np.clip(sparse, -MAX_LOG_MS, MAX_LOG_MS)
