"""Gateway makes a device's requests: it asks where to run a picture, runs it, and reports.

Serves      HTTP for applications     see `http`
Subscribes  round.v1                  make a request now
            decision.v1.<device>      as the reply to its own request
            capability.v1.<device>    variants of its own node, for the local fallback
            goal.v1                   the goal, for the local fallback
Publishes   request.v1.<device>       where to run this picture? (request/reply)
            inference.v1.<node>       the picture (request/reply)
            outcome.v1.<device>       once per request: response time and its parts
Stores      outcomes in its spool folder while the broker cannot be reached
"""
