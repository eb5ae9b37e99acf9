"""The training role of the orchestrator: improves the policy from real and planned experience.

Subscribes  experience.v2.real      durable `learner-real`
            experience.v1.planned   durable `learner-planned`
            parameters.v1.*         the newest version of each member: older plans are stale;
                                    the values of states, which become part of the policy
            reset.v1                start again with initial parameters
Publishes   parameters.v1.policy    after each update
            plan.v1                 a planning job every few windows, where there is something to
                                    plan
            learning.v1.policy      once a second
Stores      the policy's parameters, versioned
"""
