"""World model: trains the members of the system model, and plans with them.

Subscribes  experience.v2.real        each member through a durable of its own
            plan.v1                   planning jobs, shared with all other workers
            parameters.v1.member-<k>  the newest parameters of all members
            parameters.v1.policy      what the policy knows about costs
            worker.v1.<worker>        the other workers
            reset.v1                  start again with initial parameters
Publishes   parameters.v1.member-<k>, experience.v1.planned, worker.v1.<worker>,
            learning.v1.member-<k>
Stores      leases on its share of the members, and their parameters
"""
