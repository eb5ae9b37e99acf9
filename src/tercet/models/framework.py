"""Where libraries differ although the weights of their networks have the same shapes."""

from typing import NamedTuple


class Framework(NamedTuple):
    """What the weights do not show."""

    epsilon: float
    """Epsilon of batch normalisation."""
    pads_end_only: bool
    """At stride 2 an even input is padded at the bottom and right only, not at top and left."""


KERAS = Framework(1e-3, pads_end_only=True)
"""TensorFlow, too."""
TORCH = Framework(1e-5, pads_end_only=False)
RELU6_MAX = 6.0
"""Upper bound of ReLU6: a range of activations that eight bits resolve well."""
