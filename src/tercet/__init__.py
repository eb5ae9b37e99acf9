"""Tercet: where each inference request runs, and with which model variant, learned online."""


def __getattr__(name: str) -> str:
    """`__version__` as in pyproject.toml; read on access, since that costs milliseconds."""
    if name != "__version__":
        raise AttributeError(f"module 'tercet' has no attribute {name!r}")
    from importlib.metadata import version

    return version("tercet")
