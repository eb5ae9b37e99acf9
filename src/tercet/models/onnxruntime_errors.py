"""Why onnxruntime refuses a model, in one line and with the cure.

onnxruntime has one exception class per status and says the rest in text, often after the path of
its own source file.
"""

from __future__ import annotations

import re

from tercet.models.errors import one_line

CURES = (
    (
        r"[Oo]pset (\d+) is under development.*till opset (\d+)",
        r"opset \1 is newer than this onnxruntime's, \2: export it with opset \2 or older",
    ),
    (
        r"Unsupported model IR version: (\d+), max supported IR version: (\d+)",
        r"IR version \1 is newer than this onnxruntime's, \2: export it with an older onnx",
    ),
    (
        r"No Op registered for (\S+) with domain_version of (\d+)",
        r"onnxruntime has no operator \1 in opset \2: export it with another opset, or without \1",
    ),
    (
        r"Fatal error: (\S+?):?(\w+)\(-?\d+\) is not a registered function/op",
        r"onnxruntime has no operator \2 of \1: export it without custom operators",
    ),
    (
        r"Could not find an implementation for (\w+)\((\d+)\)",
        r"onnxruntime cannot run operator \1 of opset \2 here: export it with a newer opset, in"
        r" float32",
    ),
)
"""Patterns in onnxruntime's text, and what is said instead."""
PREFIX = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .*? failed:\s*)?"
    r"(/onnxruntime_src/\S+ [^)]*\)\s*)?"
)
"""What precedes the cause: status, file, and place in onnxruntime's own source."""


def explain(error: Exception) -> str:
    """One line: the cure where the cause is known, else onnxruntime's first line."""
    text = " ".join(str(error).split())
    for pattern, cure in CURES:
        if found := re.search(pattern, text):
            return found.expand(cure)
    return one_line(Exception(PREFIX.sub("", text)))
