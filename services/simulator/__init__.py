"""The simulator runs in place of all devices and nodes, on the real bus.

It publishes the capability and telemetry of every node of an environment, answers each round for
all devices with one `Environment.step`, and publishes outcomes with the environment's virtual
times, marked `simulated`. `tercet up --world …` starts it.

Subscribes  round.v1                 a round has opened: make a request for each active device
            decision.v1.<device>     as the reply to each request
            experience.v1.real       a round has closed: compute the regret of its assignment
Publishes   request.v1.<device>      which option for this device? (request/reply)
            capability.v1.<node>     tier and variants of every node, once at the start
            telemetry.v1.<node>      condition of every node, each second and after each round
            outcome.v1.<device>      response time of each device's request
            truth.v1                 the optimum of a round and the regret, for display only
"""
