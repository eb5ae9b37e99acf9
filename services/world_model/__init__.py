"""World model: learns how the system answers, member by member, and plans with what it learned.

Hears  experience.v1.real        each member through a durable of its own
       plan.v1                   planning jobs, shared with all other workers
       parameters.v1.member-<k>  what the members know, wherever they live
       worker.v1.<worker>        who else is at work
       reset.v1                  forget all
Says   parameters.v1.member-<k>, experience.v1.planned, worker.v1.<worker>,
       learning.v1.member-<k>
Keeps  leases on its share of the members, and their parameters
"""
