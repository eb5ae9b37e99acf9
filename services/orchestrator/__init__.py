"""Orchestrator, in two processes: `decide` answers every request, `learn` improves the policy.

decide
Hears  request.v1.<device>      answered from the assignment in force, by a table look-up
       outcome.v1.<device>      joined into the round's experience
       telemetry.v1.<node>      the state
       capability.v1.<node>     who is there, what they can run
       parameters.v1.policy     a new policy, taken up between rounds
       goal.v1                  a new goal, obeyed from the next round
       exploration.v1           explore, or be greedy for a while; likewise
       policy.v1                hold a version, let it go, return to the last good; likewise
       explain.v1.<device>      why a device is told what it is told; the policy is looked at
                                once a second at most, away from the requests
Says   decision.v1.<device>, round.v1, experience.v1.real, learning.v1.decider
Keeps  the last good versions of the policy, and which are refused or pinned

learn
Hears  experience.v1.real, experience.v1.planned
Says   parameters.v1.policy, plan.v1, learning.v1.policy
Keeps  the policy's parameters
"""
