"""What a world of others may get wrong: one clear ValueError that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import AttemptResult, Attempts, Outcome, State
from tercet.rl.platform import Assignment, Platform
from tercet.sim.environment import Environment, active


class CheckedEnvironment:
    """An environment whose platform, states and outcomes are checked; ValueError names the field.

    All other attributes are those of the environment.
    """

    def __init__(self, world: Environment) -> None:
        check_platform(world.platform)
        self._world = world

    @property
    def platform(self) -> Platform:
        """The environment's."""
        return self._world.platform

    def reset(self, seed: int) -> State:
        """Reset, and check the first state."""
        state = self._world.reset(seed)
        _of_kind("reset", state, State)
        check_state(self.platform, state)
        return state

    def step(self, assignment: Assignment) -> Outcome:
        """Execute, and check what comes back."""
        outcome = self._world.step(assignment)
        check_outcome(self.platform, outcome)
        return outcome

    def expected_ms(self, state: State, assignments: NDArray[np.int64]) -> NDArray[np.float64]:
        """The environment's, all positive and finite."""
        expected = self._world.expected_ms(state, assignments)
        wanted = len(assignments), len(active(self.platform, state))
        if not isinstance(expected, np.ndarray) or expected.shape != wanted:
            raise ValueError(f"expected_ms: {_shape(expected)}, must be an array {wanted}")
        if not (np.isfinite(expected).all() and (expected >= 0.0).all()):
            raise ValueError("expected_ms: a time is negative or not finite")
        return expected

    def __getattr__(self, name: str) -> object:
        return getattr(self._world, name)


def checked(world: Environment) -> Environment:
    """The same world, checked at every call. Raises ValueError for an unusable platform."""
    return world if isinstance(world, CheckedEnvironment) else CheckedEnvironment(world)


def check_platform(place: Platform) -> None:
    """Raise ValueError when there is no device, or a device that is offered nothing."""
    if not place.devices:
        raise ValueError("platform.devices: the fleet is empty")
    if not place.options:
        raise ValueError("platform.options: there is no option")
    for device in place.devices:
        if not any(place.offers(device, option) for option in place.options):
            raise ValueError(f"platform.options: device {device!r} is offered none")
    for variant, percent in place.accuracy.items():
        if not 0.0 <= percent <= 100.0:
            raise ValueError(f"platform.accuracy: {variant} has {percent}, not 0..100")
    if not place.deadline_ms > 0.0:
        raise ValueError(f"platform.deadline_ms: must be above 0, not {place.deadline_ms}")


def check_state(place: Platform, state: State) -> None:
    """Raise ValueError when a device or a node is unknown, or a number is impossible."""
    _of_kind("state", state, State)
    known = {*place.devices, *place.edges, place.cloud, *place.host.values()}
    _known("state.active", state.active, set(place.devices))
    _known("state.nodes", state.nodes, known)
    _known("state.demand", state.demand, set(place.devices))
    _numbers("state.demand", state.demand)
    for name, node in state.nodes.items():
        fields = ("cpu", "memory", "link_ms", "backlog", "throttled")
        _numbers(f"state.nodes[{name!r}]", {field: getattr(node, field) for field in fields})
        _finite(f"state.nodes[{name!r}].temperature", node.temperature)


def check_outcome(place: Platform, outcome: Outcome) -> None:
    """Raise ValueError when a time, a count or the state after the window is impossible."""
    _of_kind("step", outcome, Outcome)
    _known("response_ms", outcome.response_ms, set(place.devices))
    _numbers("response_ms", outcome.response_ms)
    _known("counts", outcome.counts, set(outcome.response_ms))
    for device, count in outcome.counts.items():
        if not isinstance(count, int | np.integer):
            raise ValueError(f"counts: {device} has {count}, must be a whole number")
        if count < 1:
            raise ValueError(f"counts: {device} has {count}, but a response time")
    _known("attempts", outcome.attempts, set(place.devices))
    for device, attempts in outcome.attempts.items():
        _check_attempts(place, device, attempts, outcome.counts.get(device, 1))
    _known("parts", outcome.parts, set(outcome.response_ms))
    for device, parts in outcome.parts.items():
        times = {f: getattr(parts, f) for f in ("network_ms", "queue_ms", "compute_ms")}
        _numbers(f"parts[{device!r}]", times)
    check_state(place, outcome.state)


def _check_attempts(
    place: Platform, device: str, attempts: tuple[Attempts, ...], requests: int
) -> None:
    """Raise ValueError for an unknown option or result, and for more successes than requests."""
    field = f"attempts[{device!r}]"
    _known(f"{field}.option", tuple(str(a.option) for a in attempts), {*map(str, place.options)})
    _known(f"{field}.result", tuple(a.result for a in attempts), {*get_args(AttemptResult)})
    _numbers(f"{field}.total_ms", {str(a.option): a.total_ms for a in attempts})
    _numbers(f"{field}.count", {str(a.option): a.count for a in attempts})
    done = sum(a.count for a in attempts if a.result == "ok")
    if done > requests:
        raise ValueError(f"{field}.count: {done} are ok, of {requests} requests (counts)")


def _of_kind(field: str, found: object, kind: type) -> None:
    if not isinstance(found, kind):
        raise ValueError(f"{field}: returned {type(found).__name__}, must be {kind.__name__}")


def _shape(found: object) -> str:
    return str(found.shape) if isinstance(found, np.ndarray) else type(found).__name__


def _known(field: str, names: Mapping[str, object] | tuple[str, ...], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{field}: {name!r} is unknown")


def _finite(field: str, value: float) -> None:
    if not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise ValueError(f"{field}: {value!r} must be a finite number")


def _numbers(field: str, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if not isinstance(value, int | float | np.number):
            raise ValueError(f"{field}: {name} is {value!r}, must be a number")
        if not np.isfinite(value) or value < 0.0:
            raise ValueError(f"{field}: {name} is {value}, must be finite and not negative")
