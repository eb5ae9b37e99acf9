"""Gateway answers pictures of applications on its device by the decision in force, and reports.

Serves      HTTP for applications     see `http`
Subscribes  decision.v1.<device>      the decision in force; the last one is read at start
            window.v1                 the window in which a request arrives
            round.v1                  the demonstration makes a request now
            capability.v1.<device>    variants of its own node, for the local fallback
            goal.v1                   the goal, for the local fallback
Publishes   inference.v1.<node>       the picture (request/reply)
            outcome.v1.<device>       per request, or for several under high demand
            result.v1.<device>        per answered request: labels, source, frame
            request.v1.<device>       once, where no decision is stored (request/reply)
Stores      the decision in force in its state folder, and outcomes in its spool folder while the
            broker cannot be reached
"""
