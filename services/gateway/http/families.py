"""The model families that a gateway offers to applications."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tercet.models.tensor_signature import TensorSignature
from tercet.services.gateway.http.refusal import Refused


@dataclass(frozen=True, slots=True)
class Family:
    """Models of one task with the same labels; which of them answers is Tercet's decision."""

    name: str
    variants: tuple[str, ...]
    """Names of the models; an application may ask for one of them."""
    labels: tuple[str, ...] = ()
    """Class names in the order of the models' outputs; empty: not known here."""
    ready: bool = True
    """Whether a request can be answered now."""
    task: str = "classification"
    tensors: TensorSignature | None = None
    """Of a family for raw tensors: what its models take and give."""

    def index(self, label: str) -> int:
        """Position of a class in the models' outputs; -1 where the labels are not known."""
        return self.labels.index(label) if label in self.labels else -1


Families = Callable[[], Sequence[Family]]
"""The families as they are now; the first one answers where none is named."""


def find(families: Families, name: str) -> Family:
    """The family of that name; Refused with 404 when there is none."""
    offered = families()
    for family in offered:
        if family.name == name:
            return family
    names = ", ".join(family.name for family in offered) or "none"
    raise Refused(404, f"unknown model {name!r}: this gateway offers {names}")


def of_task(families: Families, task: str) -> Family | None:
    """The first family of a task; None without one."""
    return next((family for family in families() if family.task == task), None)


def check_task(family: Family, task: str) -> None:
    """Raise Refused with 400 when a family is for another task than a route."""
    if family.task != task:
        raise Refused(400, f"model {family.name!r} is for {family.task}, not for {task}")


def check_takes_pictures(family: Family) -> None:
    """Raise Refused with 400 for a family that takes tensors."""
    if family.task == "tensors":
        raise Refused(
            400, f"model {family.name!r} takes tensors, no pictures: /v2/models/{family.name}/infer"
        )


def check_variant(family: Family, variant: str) -> None:
    """Raise Refused with 404 when a family has no such variant."""
    if variant not in family.variants:
        offered = ", ".join(family.variants) or "none"
        raise Refused(404, f"unknown version {variant!r} of {family.name}: it has {offered}")
