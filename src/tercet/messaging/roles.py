"""Which role may publish, subscribe to, serve and read which subjects: one table.

`{node}`, `{home}` and `{cloud}` stand for the node a user belongs to, its edge, and the cloud.
`tercet.messaging.rights` turns a role into the broker's permissions; docs/permissions.md lists them
all, as a real broker enforces them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tercet.messaging import topology
from tercet.schemas.capability import Capability
from tercet.schemas.classification import Classification
from tercet.schemas.decision import Decision
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.explain import Explain
from tercet.schemas.exploration import Exploration
from tercet.schemas.fleet import Tier
from tercet.schemas.goal import GoalSet
from tercet.schemas.learning import Learning
from tercet.schemas.outcome import Outcome
from tercet.schemas.parameters import Parameters
from tercet.schemas.plan import Plan
from tercet.schemas.planned import Planned
from tercet.schemas.policy import PolicySet
from tercet.schemas.request import Request
from tercet.schemas.reset import Reset
from tercet.schemas.result import Result
from tercet.schemas.round import Round
from tercet.schemas.telemetry import Telemetry
from tercet.schemas.truth import Truth
from tercet.schemas.window_v1 import Window
from tercet.schemas.worker import Worker

CONTROL = (GoalSet.pattern(), Exploration.pattern(), PolicySet.pattern(), "$KV.control.*")
"""What an operator may publish: the goal, exploration, the policy version."""

PUBLIC = (
    Decision.pattern(),
    Outcome.pattern(),
    Result.pattern(),
    Round.pattern(),
    Window.pattern(),
    Telemetry.pattern(),
    Capability.pattern(),
    GoalSet.pattern(),
    Exploration.pattern(),
    Experience.readable(),
    Parameters.pattern(),
    Learning.pattern(),
    Worker.pattern(),
    Truth.pattern(),
)
"""What observers of the whole system subscribe to."""


@dataclass(frozen=True)
class Role:
    """One kind of user. Subjects may hold `*`; streams, durables and buckets go by name."""

    name: str
    reason: str
    publishes: tuple[str, ...] = ()
    sends_to: tuple[tuple[Tier, str], ...] = ()
    """Per tier a subject that it may publish where its node's pictures may reach that tier."""
    subscribes: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    """Requests it answers as a micro service; it may not send them."""
    locks_name: bool = False
    """Whether one process holds its name on a node (`tercet.messaging.name_lock`)."""
    reads_last: tuple[str, ...] = ()
    """Subjects whose last message, and no other, it may read from their stream."""
    streams: tuple[str, ...] = ()
    """Streams that it may read."""
    durables: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    """Buckets that it may read; the keys that it may write are in `publishes`."""
    of_node: bool = False
    """One user per node, not one for all nodes."""


DEVICE = Role(
    "device",
    "requests, reports and receives for itself only; sends pictures to the tiers that are allowed",
    publishes=(
        Request.pattern(device="{node}"),
        Outcome.pattern(device="{node}"),
        Result.pattern(device="{node}"),
    ),
    sends_to=(
        ("L", Classification.pattern(node="{node}")),
        ("E", Classification.pattern(node="{home}")),
        ("C", Classification.pattern(node="{cloud}")),
    ),
    subscribes=(
        Decision.pattern(device="{node}"),
        Capability.pattern(node="{node}"),
        GoalSet.pattern(),
        Round.pattern(),
        Window.pattern(),
    ),
    reads_last=(
        Decision.pattern(device="{node}"),
        Capability.pattern(node="{node}"),
        Outcome.pattern(device="{node}"),
    ),
    locks_name=True,
    of_node=True,
)
MONITOR = Role(
    "monitor",
    "publishes telemetry of its node, subscribes to nothing",
    publishes=(Telemetry.pattern(node="{node}"),),
    locks_name=True,
    of_node=True,
)
INFERENCE = Role(
    "inference",
    "serves pictures on its node, publishes the node's capability",
    publishes=(Capability.pattern(node="{node}"),),
    serves=(Classification.pattern(node="{node}"),),
    locks_name=True,
    of_node=True,
)
ORCHESTRATOR = Role(
    "orchestrator",
    "decides: the only role that may",
    publishes=(
        Decision.pattern(),
        Round.pattern(),
        Window.pattern(),
        Experience.pattern(),
        Learning.pattern(owner="decider"),
        "blob.policy-kept",
        "$KV.parameters.decider",
    ),
    subscribes=(
        Outcome.pattern(),
        Telemetry.pattern(),
        Capability.pattern(),
        GoalSet.pattern(),
        Exploration.pattern(),
        PolicySet.pattern(),
        Parameters.pattern(owner="policy"),
        Reset.pattern(),
    ),
    serves=(Request.pattern(), Explain.pattern()),
    streams=("CAPABILITY", "EXPERIENCE", "PARAMETERS", "WINDOWS"),
    buckets=("control", "parameters"),
)
LEARNER = Role(
    "learner",
    "trains the policy on real and planned experience",
    publishes=(
        Parameters.pattern(owner="policy"),
        "blob.policy",
        "$KV.parameters.policy",
        Plan.pattern(),
        Learning.pattern(owner="policy"),
    ),
    subscribes=(Parameters.pattern(), Reset.pattern()),
    streams=("EXPERIENCE", "PLANNED", "PARAMETERS"),
    durables=("learner-real", "learner-planned"),
    buckets=("parameters",),
)
MEMBERS = tuple(f"member-{k}" for k in range(topology.MEMBERS))
WORLD_MODEL = Role(
    "world-model",
    "trains members of the system model and plans with them; may not decide",
    publishes=(
        Planned.pattern(),
        Worker.pattern(),
        *(Parameters.pattern(owner=member) for member in MEMBERS),
        *(f"blob.{member}" for member in MEMBERS),
        *(f"$KV.parameters.{member}" for member in MEMBERS),
        Parameters.pattern(owner="values"),
        "blob.values",
        "$KV.parameters.values",
        *(Learning.pattern(owner=member) for member in MEMBERS),
        "$KV.leases.*",
    ),
    subscribes=(Parameters.pattern(), Worker.pattern(), Reset.pattern()),
    streams=("EXPERIENCE", "PARAMETERS"),
    durables=("planner", *MEMBERS),
    buckets=("parameters", "leases"),
)
DASHBOARD = Role(
    "dashboard",
    "observes everything, changes nothing",
    publishes=(Explain.pattern(),),
    subscribes=(*PUBLIC, Reset.pattern()),
    streams=("CAPABILITY", "DECISIONS", "EXPERIENCE", "OUTCOMES", "TELEMETRY"),
    buckets=("control", "parameters", "leases"),
)
STEERING_DASHBOARD = Role(
    "steering-dashboard",
    "a dashboard whose users may set the goal and pause exploration",
    publishes=(*DASHBOARD.publishes, *CONTROL),
    subscribes=DASHBOARD.subscribes,
    streams=DASHBOARD.streams,
    buckets=DASHBOARD.buckets,
)
LISTENER = Role(
    "listener",
    "an external client: subscribes to decisions and results, reads stored decisions, no more",
    subscribes=(Decision.pattern(), Result.pattern()),
    streams=("DECISIONS",),
)
OPERATOR = Role(
    "operator",
    "the command line: observes, sets goals, declares streams, erases training data",
    publishes=(*CONTROL, Reset.pattern(), Explain.pattern(), "$SRV.>", "$JS.API.>"),
    subscribes=(*PUBLIC, Reset.pattern(), "dead.>"),
    buckets=("control", "parameters", "leases"),
)
TOPOLOGY = Role(
    "topology",
    "the job that declares streams, durables and buckets",
    publishes=("$JS.API.>",),
)

ROLES = {
    role.name: role
    for role in (
        DEVICE,
        MONITOR,
        INFERENCE,
        ORCHESTRATOR,
        LEARNER,
        WORLD_MODEL,
        DASHBOARD,
        STEERING_DASHBOARD,
        LISTENER,
        OPERATOR,
        TOPOLOGY,
    )
}
