"""Seeded weights without training, with normalisation statistics measured on photographs.

A random deep network with unit statistics gives nearly the same output for every picture. One
normalised at zero is chaotic: 27 layers amplify the rounding of eight bits to an unrelated output.
This is a compromise: He initialisation, depthwise kernels with a positive mean, batch-norm
statistics measured layer by layer and shifted into ReLU6's linear range, and a last layer centred
and scaled on the features of the photographs. The labels have no meaning.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tercet.models.mobilenet import Block, MobileNet

SMOOTHING = 0.4
"""Mean of the depthwise kernels, in He standard deviations. Trained kernels smooth as well. Kernels
of mean zero detect edges, and amplify rounding noise over the picture."""
SHIFT = 1.0
"""Batch norm's beta, in standard deviations: most activations then lie between 0 and 6."""
LOGIT_SPREAD = 4.0
"""Standard deviation of the logits over pictures and classes: the softmax then has a peak."""


def seeded(width: float, seed: int, views: Tensor) -> MobileNet:
    """A network whose weights depend on `seed` and on the `views` [N, 3, 224, 224] only."""
    generator = torch.Generator().manual_seed(seed)
    network = MobileNet(width)
    with torch.no_grad():
        for block in network.body:
            assert isinstance(block, Block)
            _initialise(block.convolution.weight, generator)
        _measure_statistics(network, views)
        _fit_head(network.head, network.features(views), generator)
    return network


def _initialise(weight: Tensor, generator: torch.Generator) -> None:
    """He: variance 2 / fan-in, which ReLU preserves."""
    fan_in = weight[0].numel()
    spread = math.sqrt(2.0 / fan_in)
    depthwise = weight.shape[1] == 1
    weight.normal_(SMOOTHING * spread if depthwise else 0.0, spread, generator=generator)


def _measure_statistics(network: MobileNet, views: Tensor) -> None:
    """Set all running means and variances from one batch, layer by layer."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            module.bias.fill_(SHIFT)
    network.features(views)
    network.eval()


def _fit_head(head: nn.Linear, features: Tensor, generator: torch.Generator) -> None:
    """Random directions, centred on the mean feature and scaled to `LOGIT_SPREAD`."""
    head.weight.normal_(0.0, 1.0, generator=generator)
    logits = (features - features.mean(dim=0)) @ head.weight.T
    head.weight.mul_(LOGIT_SPREAD / logits.std())
    head.bias.copy_(-(head.weight @ features.mean(dim=0)))
