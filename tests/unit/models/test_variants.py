"""The variants are those of the paper's table; the graphs have the published size."""

from pathlib import Path

import pytest

from tercet.models import manifest
from tercet.models.errors import ModelError
from tercet.models.variants import MOBILENET_VARIANTS, find_variant, variant

HOWARD_MILLIONS = {1.0: 569, 0.75: 325, 0.5: 149, 0.25: 41}
"""Howard et al., 2017, Table 6."""
FIRST_LAYER_OF_075_MILLIONS = 112 * 112 * 27 * 24 / 1e6


def test_there_are_eight_and_the_int8_half_mirrors_the_float_half() -> None:
    assert list(MOBILENET_VARIANTS) == [f"d{number}" for number in range(8)]
    for number in range(4):
        plain, small = MOBILENET_VARIANTS[f"d{number}"], MOBILENET_VARIANTS[f"d{number + 4}"]
        assert (plain.precision, small.precision) == ("fp32", "int8")
        assert plain.width == small.width
        assert plain.published_million_macs == small.published_million_macs
        assert plain.published_top5_pct > small.published_top5_pct
        assert plain.published_top1_pct > small.published_top1_pct


def test_unknown_variants_are_named() -> None:
    assert find_variant(0.5, "int8") is variant("d6")
    with pytest.raises(ModelError, match="unknown variant 'd9'"):
        variant("d9")
    with pytest.raises(ModelError, match=r"width 0\.3"):
        find_variant(0.3, "fp32")


@pytest.mark.parametrize("name", MOBILENET_VARIANTS)
def test_operations_counted_in_the_graph_are_those_published(models: Path, name: str) -> None:
    counted = manifest.load(models, [name]).entry(name).million_macs
    assert counted == pytest.approx(HOWARD_MILLIONS[MOBILENET_VARIANTS[name].width], rel=0.01)
    if MOBILENET_VARIANTS[name].width == 0.75:  # Table III's 317 leaves the first convolution out.
        counted -= FIRST_LAYER_OF_075_MILLIONS
    assert counted == pytest.approx(MOBILENET_VARIANTS[name].published_million_macs, rel=0.01)
