"""The dashboard shows decisions, response times and training progress live, and takes commands.

Subscribes  capability.v1.<node>, telemetry.v1.<node>     which nodes exist, and their condition
            decision.v1.<device>, outcome.v1.<device>     what is decided, and how long it took
            round.v1, experience.v1.real                  the rounds and their results
            learning.v1.<owner>, parameters.v1.<owner>, worker.v1.<worker>, truth.v1
            goal.v1, exploration.v1, reset.v1             what operators changed
Requests    explain.v1.<device>                           while a page shows that device
Publishes   goal.v1, exploration.v1                       when a person asks for it, as
                                                          `tercet goal` does
Stores      nothing: its state is in memory, read back from the streams by direct get

It creates no stream and no consumer, dead-letters nothing, and answers no request on the bus.
"""
