"""World model: trains the members of the system model, and plans with them.

Subscribes  experience.v2.real        each member through a durable of its own
            plan.v1                   planning jobs, shared with all other workers
            parameters.v1.member-<k>  the newest parameters of all members
            parameters.v1.policy      what the policy knows about costs
            parameters.v1.values      what states are worth, as another worker has computed it
            worker.v1.<worker>        the other workers
            reset.v1                  start again with initial parameters
Publishes   parameters.v1.member-<k>, parameters.v1.values, experience.v1.planned,
            worker.v1.<worker>, learning.v1.member-<k>
Stores      leases on its share of the members, their parameters, and the values
"""
