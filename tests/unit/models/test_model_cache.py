"""Models are loaded and evicted within a memory budget; speed is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tercet.models import model_library, profiling
from tercet.models.classifier import Classifier
from tercet.models.errors import ModelError
from tercet.models.images import Picture
from tercet.models.model_cache import ModelCache, footprint
from tercet.models.profiling import Speed


def test_the_least_recently_used_is_evicted_first(models: Path) -> None:
    listed = model_library.load(models)
    budget = sum(footprint(listed.entry(name)) for name in ("d3", "d6", "d7"))
    cache = ModelCache(listed, budget=budget)
    for name in ("d3", "d6", "d7", "d3"):
        cache.get(name)
    assert cache.loaded == ("d6", "d7", "d3")
    cache.get("d2")  # As large as the two least recently used.
    assert cache.loaded[-1] == "d2" and "d6" not in cache.loaded
    assert sum(footprint(listed.entry(name)) for name in cache.loaded) <= budget


def test_a_model_larger_than_the_budget_is_the_only_one(
    models: Path, photographs: list[Picture]
) -> None:
    small = Classifier(models, memory_mb=1)
    for name in ("d3", "d7", "d3"):
        assert small.classify(photographs[0].jpeg, name).labels
        assert small.loaded == (name,)


def test_a_batch_gives_the_results_of_single_runs(models: Path, photographs: list[Picture]) -> None:
    classifier = Classifier(models)
    jpegs = [picture.jpeg for picture in photographs]
    single = [classifier.classify(jpeg, "d3") for jpeg in jpegs]
    first, broken, *rest = classifier.classify_all([jpegs[0], b"no picture", *jpegs[1:]], "d3")
    assert isinstance(broken, Exception)
    for one, together in zip(single, (first, *rest), strict=True):
        assert not isinstance(together, Exception)
        assert [name for name, _ in one.labels] == [name for name, _ in together.labels]
    assert classifier.batch_speedup("d3", 2, repeats=1) > 0


def test_the_speed_of_a_variant_is_measured_in_a_separate_process(models: Path) -> None:
    found = profiling.profile(models, ["d3", "d7"], threads=2, repeats=3)
    for profiled in found.values():
        speed = profiled.speed
        assert 0 < speed.median_1_ms <= speed.p95_1_ms < speed.cold_ms * 100
        assert speed.threads == 2 and speed.median_n_ms > 0 and speed.memory_mb > 1
    with pytest.raises(ModelError, match="unknown variant 'd99'"):
        profiling.profile(models, ["d99"])


def test_slower_and_less_accurate_is_dominated() -> None:
    speeds = {name: Speed(1, ms, ms, ms, ms, 1.0, 1.0, 1.0)
              for name, ms in (("a", 10.0), ("b", 5.0), ("c", 6.0))}  # fmt: skip
    profiled = profiling.find_dominated(speeds, {"a": 90.0, "b": 80.0, "c": 70.0})
    assert {n: p.dominated_by for n, p in profiled.items()} == {"a": None, "b": None, "c": "b"}
