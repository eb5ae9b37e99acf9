"""Health of one process, on one small port: `/healthz`, `/readyz`, `/metrics`.

`python -m tercet.process.health` asks it, for a container's HEALTHCHECK.
"""
