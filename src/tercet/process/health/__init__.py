"""Health of one process on one port: `/healthz`, `/readyz`, `/metrics`.

`server` answers them; `python -m tercet.process.health` is the client for a container's
HEALTHCHECK.
"""
