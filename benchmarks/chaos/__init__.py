"""Fault injection: a real system under load, one fault after the other, and independent checks.

`system` starts the processes. `faults` draws the faults from the seed and injects them.
`external_devices` take part as independent clients. `observer` detects recovery. `memory` samples
the processes' sizes. `reconciliation` compares acknowledged outcomes with the streams at the end.
`run` coordinates a run; `text` renders its result.
"""

FAULT_KINDS = ("kill", "hang", "pause", "clock", "cut", "slow", "disk")
"""Kinds of faults, as `--only` accepts them."""
