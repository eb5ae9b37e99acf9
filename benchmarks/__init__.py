"""The paper's tables and figures, measured again, and our own beside them: `python -m benchmarks`."""
