"""Dashboard shows people what is decided and why, live, and lets them steer.

Hears  capability.v1.<node>, telemetry.v1.<node>     who is there, and how they are
       decision.v1.<device>, outcome.v1.<device>     what is decided, and how long it took
       round.v1, experience.v1.real                   what the rounds taught
       learning.v1.<owner>, parameters.v1.<owner>, worker.v1.<worker>, truth.v1
       goal.v1, exploration.v1, reset.v1              what people changed
Asks   explain.v1.<device>                            while someone looks at that device
Says   goal.v1, exploration.v1, only when a person asked for it (as `tercet goal` does)
Keeps  nothing: what it shows is in memory, and read back from the streams by direct get

It makes no stream and no consumer, buries nothing, and answers nobody on the bus.
"""
