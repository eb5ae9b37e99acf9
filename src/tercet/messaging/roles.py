"""Who may say, hear, answer and read what: one table, from which the broker's rights are made.

`{node}`, `{home}` and `{cloud}` stand for the node a user belongs to, its edge, and the cloud.
`tercet.messaging.rights` turns a role into subjects; docs/permissions.md shows them all, as a real broker
enforces them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tercet.messaging import topology
from tercet.schemas.capability import Capability
from tercet.schemas.classification import Classification
from tercet.schemas.decision import Decision
from tercet.schemas.experience import Experience
from tercet.schemas.explain import Explain
from tercet.schemas.exploration import Exploration
from tercet.schemas.goal import GoalSet
from tercet.schemas.learning import Learning
from tercet.schemas.outcome import Outcome
from tercet.schemas.parameters import Parameters
from tercet.schemas.plan import Plan
from tercet.schemas.planned import Planned
from tercet.schemas.policy import PolicySet
from tercet.schemas.request import Request
from tercet.schemas.reset import Reset
from tercet.schemas.round import Round
from tercet.schemas.telemetry import Telemetry
from tercet.schemas.truth import Truth
from tercet.schemas.worker import Worker

STEERING = (GoalSet.pattern(), Exploration.pattern(), PolicySet.pattern(), "$KV.control.*")
"""What whoever may steer says: the goal, whether to explore, which version decides."""

PUBLIC = (
    Decision.pattern(),
    Outcome.pattern(),
    Round.pattern(),
    Telemetry.pattern(),
    Capability.pattern(),
    GoalSet.pattern(),
    Exploration.pattern(),
    Experience.pattern(),
    Parameters.pattern(),
    Learning.pattern(),
    Worker.pattern(),
    Truth.pattern(),
)
"""What those hear who watch the whole."""


@dataclass(frozen=True)
class Role:
    """One kind of user. Subjects may hold `*`; streams, durables and buckets go by name."""

    name: str
    reason: str
    says: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    """Requests it replies to, as a micro service: it may answer, and ask nothing."""
    claims: bool = False
    """Whether its name on a node is held by one process (`tercet.messaging.name_lock`), which says so."""
    own: tuple[str, ...] = ()
    """Subjects of which it may read the last message back, and no other, from their stream."""
    streams: tuple[str, ...] = ()
    """Streams that it may read back, whole."""
    durables: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    """Buckets that it may read; what it may write stands in `says`."""
    of_node: bool = False
    """One user per node, not one for all."""


DEVICE = Role(
    "device",
    "asks, reports and is told only as itself; sends pictures to its node, its edge and the cloud",
    says=(
        Request.pattern(device="{node}"),
        Outcome.pattern(device="{node}"),
        Classification.pattern(node="{node}"),
        Classification.pattern(node="{home}"),
        Classification.pattern(node="{cloud}"),
    ),
    hears=(Capability.pattern(node="{node}"), GoalSet.pattern(), Round.pattern()),
    own=(Capability.pattern(node="{node}"), Outcome.pattern(device="{node}")),
    claims=True,
    of_node=True,
)
MONITOR = Role(
    "monitor",
    "speaks for its node, and hears nothing",
    says=(Telemetry.pattern(node="{node}"),),
    claims=True,
    of_node=True,
)
INFERENCE = Role(
    "inference",
    "answers for its node, and says once what it can do",
    says=(Capability.pattern(node="{node}"),),
    answers=(Classification.pattern(node="{node}"),),
    claims=True,
    of_node=True,
)
ORCHESTRATOR = Role(
    "orchestrator",
    "decides: the only one who may",
    says=(
        Decision.pattern(),
        Round.pattern(),
        Experience.pattern(),
        Learning.pattern(owner="decider"),
        "blob.policy-kept",
        "$KV.parameters.decider",
    ),
    hears=(
        Outcome.pattern(),
        Telemetry.pattern(),
        Capability.pattern(),
        GoalSet.pattern(),
        Exploration.pattern(),
        PolicySet.pattern(),
        Parameters.pattern(owner="policy"),
        Reset.pattern(),
    ),
    answers=(Request.pattern(), Explain.pattern()),
    streams=("CAPABILITY", "EXPERIENCE", "PARAMETERS"),
    buckets=("control", "parameters"),
)
LEARNER = Role(
    "learner",
    "learns the policy from what was measured and imagined",
    says=(
        Parameters.pattern(owner="policy"),
        "blob.policy",
        "$KV.parameters.policy",
        Plan.pattern(),
        Learning.pattern(owner="policy"),
    ),
    hears=(Parameters.pattern(), Reset.pattern()),
    streams=("EXPERIENCE", "PLANNED", "PARAMETERS"),
    durables=("learner-real", "learner-planned"),
    buckets=("parameters",),
)
MEMBERS = tuple(f"member-{k}" for k in range(topology.MEMBERS))
WORLD_MODEL = Role(
    "world-model",
    "learns members of the system model and plans with them; may not decide",
    says=(
        Planned.pattern(),
        Worker.pattern(),
        *(Parameters.pattern(owner=member) for member in MEMBERS),
        *(f"blob.{member}" for member in MEMBERS),
        *(f"$KV.parameters.{member}" for member in MEMBERS),
        *(Learning.pattern(owner=member) for member in MEMBERS),
        "$KV.leases.*",
    ),
    hears=(Parameters.pattern(), Worker.pattern(), Reset.pattern()),
    streams=("EXPERIENCE", "PARAMETERS"),
    durables=("planner", *MEMBERS),
    buckets=("parameters", "leases"),
)
DASHBOARD = Role(
    "dashboard",
    "watches all, and steers nothing",
    says=(Explain.pattern(),),
    hears=(*PUBLIC, Reset.pattern()),
    streams=("CAPABILITY", "DECISIONS", "EXPERIENCE", "OUTCOMES", "TELEMETRY"),
    buckets=("control", "parameters", "leases"),
)
STEERING_DASHBOARD = Role(
    "steering-dashboard",
    "a dashboard whose viewers may set the goal and pause exploration",
    says=(*DASHBOARD.says, *STEERING),
    hears=DASHBOARD.hears,
    streams=DASHBOARD.streams,
    buckets=DASHBOARD.buckets,
)
LISTENER = Role(
    "listener",
    "an outsider: hears decisions and reads those that were kept, no more",
    hears=(Decision.pattern(),),
    streams=("DECISIONS",),
)
OPERATOR = Role(
    "operator",
    "the command line: looks at everything, steers, declares streams, forgets",
    says=(*STEERING, Reset.pattern(), Explain.pattern(), "$SRV.>", "$JS.API.>"),
    hears=(*PUBLIC, Reset.pattern(), "dead.>"),
    buckets=("control", "parameters", "leases"),
)
TOPOLOGY = Role(
    "topology",
    "the job that declares streams, durables and buckets, and ends",
    says=("$JS.API.>",),
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
