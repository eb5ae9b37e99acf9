"""Health of one process, on one small port: `/healthz`, `/readyz`, `/metrics`.

`python -m runtime.health` asks it, for a container's HEALTHCHECK.
"""
