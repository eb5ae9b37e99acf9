"""Device is the application: it has a picture, asks what to do with it, does it, and reports.

Hears  round.v1                  a round opened: make a request now
       decision.v1.<device>      as the reply to its own request
       capability.v1.<device>    what its own node can run, for the day nobody answers
       goal.v1                   the goal, for the same day
Says   request.v1.<device>       where shall this run? (request/reply)
       inference.v1.<node>       the picture (request/reply)
       outcome.v1.<device>       once per request: how long it took, and where the time went
"""
