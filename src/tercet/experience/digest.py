"""A digest of a set of ids that does not depend on their order: for audits."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

MODULUS = 1 << 128


class IdDigest:
    """Sum of ids modulo 2^128: one id too many, too few or twice changes it."""

    def __init__(self, ids: Iterable[UUID] = ()) -> None:
        self._sum = sum(identity.int for identity in ids) % MODULUS

    def add(self, identity: UUID) -> None:
        """Take one id in."""
        self._sum = (self._sum + identity.int) % MODULUS

    def __str__(self) -> str:
        return f"{self._sum:032x}"
