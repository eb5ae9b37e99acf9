"""Monitor measures its node's background load: the load that this run does not cause.

Subscribes  nothing
Publishes   telemetry.v1.<node>   once per period
Stores      nothing
"""
