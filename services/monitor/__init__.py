"""Monitor tells what its node looks like when this run's own load is taken away.

Hears  nothing
Says   telemetry.v1.<node>   once per period
"""
