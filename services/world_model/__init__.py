"""World model: learns how the system answers, member by member, and plans with what it learned.

Hears  experience.v1.real        each member through a durable of its own
       plan.v1                   planning jobs, shared with all other workers
       parameters.v1.member-<k>  what the members know, wherever they live
Says   parameters.v1.member-<k>, experience.v1.planned
Keeps  the members' parameters
"""
