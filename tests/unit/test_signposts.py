"""Questions that a newcomer asks: each is answered by a path that the documentation names."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIGNPOSTS = tuple((ROOT / page).read_text() for page in ("ARCHITECTURE.md", "CONTRIBUTING.md"))

QUESTIONS = {
    "Where is a retry decided?": ("services/gateway/request_pipeline.py", "class RequestPipeline"),
    "Where does a new message go?": ("schemas/catalogue.py", "MESSAGES"),
    "Where does a new service go?": ("services/monitor/", None),
    "Where does a new tier go?": ("src/tercet/rl/options.py", "Tier = Literal"),
    "Where does the option d3@E go?": ("src/tercet/rl/options.py", "OPTIONS = "),
    "Where does an object detector go?": ("src/tercet/models/classifier.py", "class Classifier"),
    "Which objective is minimised?": ("src/tercet/rl/assignment_solver.py", "def solve"),
    "When is a message dead-lettered?": ("src/tercet/messaging/durable.py", "MAX_DELIVER"),
    "What does an application call?": ("services/gateway/", None),
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
