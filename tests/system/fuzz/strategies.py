"""Hypothesis strategies from the published JSON Schemas, and mutations of their messages."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tercet.schemas import CATALOGUE

NAMES = ("device-1", "device-2", "edge-1", "cloud", *(f"fuzz-{k}" for k in range(8)))
OWNERS = ("policy", "member-0", "member-4", "decider", "w-1")
INTS = (-1, 0, 1, 7, 2**31, 2**63, 2**64, 10**400)
FLOATS = (-1.0, 0.0, 0.5, 1.0, 99.9, 1e3, 86_400_000.0, 1e308)
TIMES = ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+14:00", "1970-01-01T00:00:00-12:00",
         "2026-01-02T03:04:05", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", 0,
         1e12)  # fmt: skip
"""With and without a time zone, near and far."""


def of(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of one of our JSON Schemas; a message's own validators may still refuse them."""
    if "$ref" in schema:
        return of(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in schema:
        return st.one_of([of(part, defs) for part in schema["anyOf"]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "string":
        return _text(schema)
    if kind in ("integer", "number"):
        return _number(schema, kind)
    if kind == "array":
        return st.lists(of(schema["items"], defs), max_size=4)
    if kind == "object" and "properties" in schema:
        required = set(schema.get("required", ()))
        fields = {k: of(v, defs) for k, v in schema["properties"].items()}
        must = {k: v for k, v in fields.items() if k in required}
        return st.fixed_dictionaries(
            must, optional={k: v for k, v in fields.items() if k not in required}
        )
    if kind == "object":
        values = schema.get("additionalProperties") or next(
            iter(schema.get("patternProperties", {"": {}}).values())
        )
        return st.dictionaries(st.sampled_from(NAMES), of(values, defs), max_size=4)
    return {"boolean": st.booleans(), "null": st.none()}.get(str(kind), st.text(max_size=8))


def _text(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    if schema.get("format") == "date-time":
        return st.sampled_from(TIMES) | st.datetimes(timezones=st.timezones()).map(str)
    pattern = schema.get("pattern")
    if pattern is None:
        return st.text(max_size=20)
    if "{1,64}" in pattern:
        return st.sampled_from(NAMES)
    if "@[LEC]" in pattern:
        return st.sampled_from([f"d{k}@{tier}" for k in range(9) for tier in "LEC"])
    return st.from_regex(pattern, fullmatch=True)


def _number(schema: dict[str, Any], kind: str) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    known = [n for n in (INTS if kind == "integer" else FLOATS)
             if (low is None or n >= low) and (high is None or n <= high)]  # fmt: skip
    return st.sampled_from(known or [low if low is not None else 1])


def drawn(kind: str, count: int) -> list[dict[str, Any]]:
    """`count` messages of a kind, drawn by hypothesis, the same in every run."""
    schema, found = CATALOGUE[kind].model_json_schema(), []

    @settings(max_examples=count, derandomize=True, database=None, deadline=None,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(of(schema, schema.get("$defs", {})))
    def draw(message: dict[str, Any]) -> None:
        found.append(message)

    draw()
    return found


def mutated(message: dict[str, Any], rng: random.Random) -> bytes:
    """The message with one random mutation, as bytes."""
    fields = dict(message)
    name = rng.choice([*fields])
    match rng.randrange(12):
        case 0:
            del fields[name]
        case 1:
            fields[name] = rng.choice((None, [], {}, "", "x" * 3000, True, -1, [[[]]]))
        case 2:
            fields[name] = rng.choice((10**400, -(10**20), 1e308, 2**64))
        case 3:
            return json.dumps(fields).replace(": ", ": NaN, ", 1).encode()
        case 4:
            return json.dumps({**fields, name: float("nan")}).encode()
        case 5:
            fields["at"] = rng.choice(TIMES)
        case 6:
            fields["type"] = "round.v2"
        case 7:
            fields[rng.choice(("device", "node", "owner"))] = rng.choice((*NAMES, "a.b", "*"))
        case 8:
            depth = rng.choice((10, 1000, 50_000))
            return (f'{{"{name}": ' + "[" * depth + "]" * depth + "}").encode()
        case 9:
            body = bytearray(json.dumps(fields).encode())
            body[rng.randrange(len(body))] = rng.randrange(256)
            return bytes(body)
        case 10:
            return json.dumps(fields).encode()[: rng.randrange(1 + len(fields) * 10)]
        case 11:
            return rng.randbytes(rng.choice((0, 1, 40, 4000)))
    return json.dumps(fields).encode()


HUGE = 1_000_000
"""Size of the largest messages in bytes; the broker accepts 1 MiB."""
