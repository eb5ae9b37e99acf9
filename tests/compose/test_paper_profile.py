"""`docker compose --profile paper`: the paper's agent decides; without the profile it is ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tercet.messaging.broker import free_port
from tests.compose.project import Project, docker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DECIDING = ("orchestrator", "learner", "world-model")


@pytest.fixture(scope="module")
def brain(images: None) -> Iterator[Project]:
    """The deciding services alone; the images of both agents."""
    project = Project("tercet-test-paper", variables={"TERCET_PORT": str(free_port())})
    project.compose("--profile", "paper", "build", "paper")
    try:
        yield project
    finally:
        project.compose("--profile", "paper", "down", "-v", "--remove-orphans", "-t", "5")


def agent_of(project: Project, service: str) -> str:
    """The agent that the first process of a container runs."""
    command = ("cat", "/proc/1/environ")
    settings = docker("exec", f"{project.name}-{service}-1", *command).split("\0")
    return next((s.partition("=")[2] for s in settings if s.startswith("TERCET_POLICY=")), "hybrid")


def test_the_profile_chooses_the_paper_s_agent_and_its_absence_ours(brain: Project) -> None:
    brain.compose("--profile", "paper", "up", "-d", "--wait", "paper", *DECIDING)
    assert {agent_of(brain, service) for service in DECIDING} == {"hybrid-paper"}
    assert "slot acquired" in brain.first_line("world-model", "slot acquired")
    brain.compose("--profile", "paper", "down", "-t", "5")
    brain.up(*DECIDING)
    assert {agent_of(brain, service) for service in DECIDING} == {"hybrid"}
