"""Orchestrator, in two processes: `decide` publishes decisions, `learn` trains the policy.

decide
Subscribes  request.v1.<device>      answered from the assignment in force, by a table look-up
            outcome.v1.<device>      joined into the experience of the window or round
            telemetry.v1.<node>      the state
            capability.v1.<node>     which nodes there are, what they can run
            parameters.v1.policy     a new policy, adopted between windows
            goal.v1                  a new goal, applied from the next window
            exploration.v1           explore, or be greedy for a while; likewise
            policy.v1                pin a version, release it, roll back; likewise
            explain.v1.<device>      why a device is assigned its option; computed once a second
                                     at most, away from the requests
            reset.v1                 everything that was learned was erased
Publishes   decision.v1.<device>     when it changes, with ranked alternatives
            window.v1, or round.v1   as TERCET_SCHEDULER says; a round asks for requests
            experience.v2.real, learning.v1.decider
Stores      the last good versions of the policy, and which are rejected or pinned

learn
Subscribes  experience.v2.real, experience.v1.planned
Publishes   parameters.v1.policy, plan.v1, learning.v1.policy
Stores      the policy's parameters
"""
