"""The paper's tables and figures, and measurements of the running system.

One verb per table: `python -m benchmarks VERB`. benchmarks/README.md lists them.
"""
