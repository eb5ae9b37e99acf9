"""experience.v2.real: the counts and sums of one window, complete in itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_serializer, model_validator

from tercet.schemas.experience import ExperienceV1
from tercet.schemas.fleet import Condition, Fleet, GoalText
from tercet.schemas.message import Message, Milliseconds, Name
from tercet.schemas.round import Purpose
from tercet.schemas.window import (
    ActiveRow,
    Attempts,
    Family,
    NodeReport,
    Requests,
    one_request_each,
)

Rows = Annotated[tuple[ActiveRow, ...], Field(min_length=1)]


class Experience(Message):
    """State, assignment, requests, attempts, next state and goal of one window.

    A round is the window in which each device makes one request at once.
    """

    SUBJECT: ClassVar = "experience.v2.real"
    KEPT: ClassVar = True
    FORMER: ClassVar = ExperienceV1
    type: Literal["experience.v2.real"] = "experience.v2.real"

    window: int = Field(ge=1, description="its number; that of the round, if it was one")
    purpose: Purpose = "learn"
    policy: str = Field(description="what chose the assignment")
    policy_version: int | None = None
    goal: GoalText
    goals: dict[Family, GoalText] = Field(
        default_factory=dict, description="goal group to its own goal; `goal` where it is missing"
    )
    fleet: Fleet
    active: Rows = Field(description="what was decided for, with the option in force")
    state: dict[Name, Condition] = Field(description="per node, when the window began")
    next_state: dict[Name, Condition] = Field(description="per node, when it ended")
    requests: tuple[Requests, ...] = Field(
        description="one entry per row that asked: who asked nothing is missing, and not slow"
    )
    attempts: tuple[Attempts, ...] = Field(
        (), description="where they were tried; for a row without any: where it was assigned"
    )
    mean_ms: Milliseconds | None = Field(
        None, description="mean cost of all requests, where those of the rows are not known"
    )
    nodes: dict[Name, NodeReport] = Field(
        default_factory=dict, description="reports of the nodes that did the work"
    )
    emulated: bool = False
    simulated: bool = False

    @model_validator(mode="after")
    def _agrees(self) -> Experience:
        self._names_are_known()
        self._counts_agree()
        return self

    def _names_are_known(self) -> None:
        fleet, rows = self.fleet, {row.row for row in self.active}
        _once("active", (row.row for row in self.active))
        _once("requests", (r.row for r in self.requests))
        _once("attempts", ((a.row, a.option, a.node, a.result, a.straddled) for a in self.attempts))
        _known("active: device", (row.device for row in self.active), fleet.devices)
        _known("active: assigned", (row.assigned for row in self.active), fleet.options)
        _known("active: greedy", (r.greedy for r in self.active if r.greedy), fleet.options)
        _known("requests: row", (r.row for r in self.requests), rows)
        _known("attempts: row", (a.row for a in self.attempts), rows)
        _known("attempts: option", (a.option for a in self.attempts), fleet.options)
        _known("attempts: node", (a.node for a in self.attempts), fleet.nodes)
        for name in ("state", "next_state", "nodes"):
            _known(name, getattr(self, name), fleet.nodes)

    def _counts_agree(self) -> None:
        """Each request has at most one successful attempt; those in time have one."""
        if self.mean_ms is not None and (self.requests or self.attempts):
            raise ValueError("mean_ms: the costs of the rows are known")
        tried = Counter[str]()
        succeeded = Counter[str]()
        for a in self.attempts:
            tried[a.row] += a.count
            succeeded[a.row] += a.count if a.result == "ok" else 0
        made = {r.row: r for r in self.requests}
        _known("attempts without requests: row", tried, made)
        for row, requests in made.items():
            if succeeded[row] > requests.count:
                raise ValueError(f"attempts: more of {row} succeeded than its requests")
            if row in tried and succeeded[row] < requests.answered_in_time:
                raise ValueError(f"attempts: fewer of {row} succeeded than were answered in time")

    @field_serializer("state", "next_state", when_used="json")
    def _without_defaults(self, state: dict[str, Condition]) -> dict[str, Any]:
        return {node: c.model_dump(exclude_defaults=True) for node, c in state.items()}

    @property
    def assigned(self) -> dict[str, str]:
        """Row to the option in force."""
        return {row.row: row.assigned for row in self.active}

    @property
    def greedy(self) -> dict[str, str]:
        """Row to the option without exploration; empty if it was not computed."""
        return {row.row: row.greedy for row in self.active if row.greedy is not None}

    @property
    def executed(self) -> dict[str, str]:
        """Row that asked to the option at which most of its requests succeeded."""
        return {row: max(ran, key=ran.__getitem__) for row, ran in self._ran().items()}

    @property
    def response_ms(self) -> dict[str, float]:
        """Row that asked to the mean cost of its requests."""
        return {r.row: r.total_ms / r.count for r in self.requests}

    @property
    def silent(self) -> tuple[str, ...]:
        """Active rows that asked nothing; none where only the mean is known."""
        if self.mean_ms is not None:
            return ()
        asked = {r.row for r in self.requests}
        return tuple(row.row for row in self.active if row.row not in asked)

    @property
    def teaches(self) -> bool:
        """Whether some cost was measured under one assignment."""
        return self.mean_ms is not None or any(r.settled for r in self.requests)

    @property
    def answered_in_time(self) -> float | None:
        """Share of the requests that were answered before their deadline; None without any."""
        count = sum(r.count for r in self.requests)
        return sum(r.answered_in_time for r in self.requests) / count if count else None

    @property
    def average_ms(self) -> float | None:
        """Mean cost over all requests; None without any."""
        if not self.requests:
            return self.mean_ms
        return sum(r.total_ms for r in self.requests) / sum(r.count for r in self.requests)

    @property
    def accuracy_pct(self) -> float | None:
        """Mean accuracy over the requests, as executed; None without any."""
        return self._accuracy_pct(self._ran().values())

    @property
    def group_goals(self) -> dict[str, str]:
        """Goal group to its goal; empty where there is one, without a name."""
        groups = set(self.fleet.groups.values()) if self.goals else ()
        return {group: self.goals.get(group, self.goal) for group in groups}

    @property
    def family_accuracy_pct(self) -> dict[str, float]:
        """Model family to the mean accuracy over its requests; empty where there is one."""
        of: dict[str, list[Counter[str]]] = {}
        for row, ran in self._ran().items():
            of.setdefault(row.partition("/")[2], []).append(ran)
        means = {name: self._accuracy_pct(ran) for name, ran in of.items() if name}
        return {name: mean for name, mean in means.items() if mean is not None}

    def _accuracy_pct(self, counted: Iterable[Counter[str]]) -> float | None:
        total = Counter[str]()
        for ran in counted:
            total += ran
        if not total:
            return None
        accuracy = self.fleet.accuracy_pct
        return sum(accuracy[o.partition("@")[0]] * n for o, n in total.items()) / total.total()

    def _ran(self) -> dict[str, Counter[str]]:
        """Row to option to requests that ran there: where it was assigned, if nothing tells."""
        assigned = self.assigned
        if self.mean_ms is not None:
            return {row: Counter({option: 1}) for row, option in assigned.items()}
        ran = {r.row: Counter[str]() for r in self.requests}
        for a in self.attempts:
            if a.result == "ok":
                ran[a.row][a.option] += a.count
        for r in self.requests:
            if not ran[r.row]:
                ran[r.row][assigned[r.row]] = r.count
        return ran

    @classmethod
    def from_former(cls, former: ExperienceV1) -> Experience:
        """One round of `experience.v1.real`, with the same id.

        What was censored (a lower bound) or quarantined is left out: it asked nothing that is
        known. Where only the mean was known, it is known here; but not if it was a lower bound.
        """
        fleet, mean_only = former.fleet, not former.response_ms
        assigned, greedy = (
            {d: option for d, option in chosen.items() if option in fleet.options}
            for chosen in (former.assigned, former.greedy)
        )
        in_force = former.executed if mean_only else {**former.executed, **assigned}
        used = {
            device: ms
            for device, ms in former.response_ms.items()
            if device not in former.censored and device not in former.quarantined
        }
        requests, attempts = one_request_each(fleet, former.executed, used)
        return cls(
            id=former.id,
            at=former.at,
            cause=former.cause,
            window=former.round,
            purpose=former.purpose,
            policy=former.policy,
            policy_version=former.policy_version,
            goal=former.goal,
            fleet=fleet,
            active=tuple(
                ActiveRow(device=d, assigned=in_force[d], greedy=greedy.get(d))
                for d in dict.fromkeys(former.active)
            ),
            state=_of_fleet(former.state, fleet),
            next_state=_of_fleet(former.next_state, fleet),
            requests=requests,
            attempts=attempts,
            mean_ms=former.average_ms if mean_only and not former.censored else None,
            emulated=former.emulated,
            simulated=former.simulated,
        )


def _of_fleet(state: dict[str, Condition], fleet: Fleet) -> dict[str, Condition]:
    return {node: condition for node, condition in state.items() if node in fleet.nodes}


def _once(field: str, keys: Iterable[object]) -> None:
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise ValueError(f"{field}: {twice[0]} is named twice")


def _known(field: str, names: Iterable[str], known: Iterable[str]) -> None:
    unknown = set(names) - set(known)
    if unknown:
        raise ValueError(f"{field}: unknown: {', '.join(sorted(unknown))}")
