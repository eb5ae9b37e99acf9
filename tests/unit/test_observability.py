"""Metrics and containers that Prometheus and Grafana refer to exist; the configuration is valid."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

import tercet.process.metrics  # noqa: F401  (it registers what it names)

FOLDER = Path(__file__).parents[2] / "compose"
PROMETHEUS = FOLDER / "observability" / "prometheus.yml"
DASHBOARD = FOLDER / "observability" / "grafana" / "dashboards" / "tercet.json"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def names() -> dict[str, set[str]]:
    """Return the series that a process of ours may serve, with their labels."""
    found = {}
    for family in REGISTRY.collect():
        collector = REGISTRY._names_to_collectors.get(family.name)
        labels = set(getattr(collector, "_labelnames", ()))
        for suffix in SUFFIXES.get(family.type, ()):
            found[family.name + suffix] = labels
    return found


def panels() -> list[tuple[str, str]]:
    found = json.loads(DASHBOARD.read_text())["panels"]
    return [(panel["title"], t["expr"]) for panel in found for t in panel["targets"]]


@pytest.mark.parametrize(("title", "query"), panels())
def test_each_panel_queries_existing_metrics(title: str, query: str) -> None:
    known = names()
    queried = set(re.findall(r"\b(?:tercet|process)_\w+", query))
    assert queried, title
    assert queried <= known.keys()
    (name,) = queried
    by = {word.strip() for part in re.findall(r"by \(([^)]*)\)", query) for word in part.split(",")}
    assert by <= known[name] | {"le"}


def test_every_container_that_serves_metrics_is_scraped() -> None:
    services = yaml.safe_load((FOLDER / "host.yaml").read_text())["services"]
    without = {"broker", "topology", "models", "relay", "policy", "paper"}
    (job,) = yaml.safe_load(PROMETHEUS.read_text())["scrape_configs"]
    assert set(job["dns_sd_configs"][0]["names"]) == services.keys() - without


@pytest.mark.parametrize("file", ["prometheus.yml", "prometheus-host.yml"])
@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's package prometheus")
def test_prometheus_accepts_the_configuration(file: str) -> None:
    command = ["promtool", "check", "config", "--syntax-only", str(PROMETHEUS.with_name(file))]
    subprocess.run(command, check=True, capture_output=True)
