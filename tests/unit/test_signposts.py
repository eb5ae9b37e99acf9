"""Questions that a newcomer asks: each is answered by a path that the documentation names."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIGNPOSTS = tuple((ROOT / page).read_text() for page in ("ARCHITECTURE.md", "CONTRIBUTING.md"))

QUESTIONS = {
    "Where is a retry decided?": ("services/gateway/attempts.py", "class Attempts"),
    "When is a node left alone?": ("services/gateway/circuit_breaker.py", "class CircuitBreaker"),
    "Which decision is in force?": ("services/gateway/decision_in_force.py", "DecisionInForce"),
    "Where does a new source go?": ("services/gateway/sources/folder.py", "class WatchedFolder"),
    "Where does a new message go?": ("schemas/catalogue.py", "MESSAGES"),
    "Where does a new service go?": ("services/monitor/", None),
    "Where does a new tier go?": ("src/tercet/rl/options.py", "Tier = Literal"),
    "What else knows the tiers: fleets?": ("src/tercet/experience/fleets.py", "_lacking"),
    "What else knows the tiers: the node?": ("src/tercet/rl/platform.py", "def node"),
    "What else knows the tiers: features?": ("src/tercet/rl/costs/encoding.py", "TIERS"),
    "What else knows the tiers: the fleet?": ("src/tercet/models/cpu_share.py", "EMULATED_CPU"),
    "What else knows the tiers: keys?": ("src/tercet/messaging/security/site.py", "tier"),
    "What else knows the tiers: the page?": ("services/dashboard/baselines.py", "TIER_LETTERS"),
    "What offers the option d3@E?": ("src/tercet/experience/fleets.py", "_offered"),
    "What assumes d0 at the edge?": ("src/tercet/rl/options.py", "OPTIONS = "),
    "What else assumes a classifier?": ("src/tercet/models/session.py", "classifier"),
    "Where does an object detector go?": ("src/tercet/models/classifier.py", "class Classifier"),
    "Which objective is minimised?": ("src/tercet/rl/assignment_solver.py", "Minimise mean cost"),
    "When is a message dead-lettered?": ("src/tercet/process/errors.py", "dead-letter"),
    "How often is it delivered before?": ("src/tercet/messaging/durable.py", "MAX_DELIVER"),
    "What does an application call?": ("schemas/external_clients.py", "GUIDE"),
    "What restarts a process?": ("src/tercet/process/supervisor.py", "MAX_FAILURES"),
    "What restarts a container?": ("compose/parts.yaml", "restart:"),
    "When is a policy rolled back?": ("src/tercet/rl/degradation.py", "class DegradationMonitor"),
    "What starts a service?": ("src/tercet/messaging/service_runner.py", "def run"),
    "Where does a new verb go?": ("src/tercet/cli/app.py", "VERBS"),
}
"""Question to the path that answers it, and what the file at that path defines."""


def named(path: str) -> bool:
    """Whether the documentation names a path, or its folder and its file name on one line."""
    folder, _, name = path.rpartition("/")
    return any(
        path in line or (name and f"{folder}/" in line and f"`{name}`" in line)
        for page in SIGNPOSTS
        for line in page.splitlines()
    )


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_documentation_names_a_path_that_answers(question: str) -> None:
    path, defined = QUESTIONS[question]
    assert (ROOT / path).exists()
    assert named(path)
    if defined:
        assert defined in (ROOT / path).read_text()


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_path_that_a_page_names_exists(page: str) -> None:
    words = (ROOT / page).read_text().replace("](", " ").replace("`", " ").replace(")", " ").split()
    roots = ("src/", "services/", "schemas/", "tests/", "benchmarks/", "compose/", "docs/")
    paths = {word.rstrip(".,;:") for word in words if word.startswith(roots)}
    assert paths
    missing = [
        path
        for path in sorted(paths)
        if "<" not in path and not (ROOT / path).exists() and not list(ROOT.glob(f"{path}-*"))
    ]
    assert missing == []  # A decision may be named by its number.
