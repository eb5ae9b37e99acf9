"""The paper's own agent: Algorithm 1 of Shahhosseini et al., ISQED 2022, over joint actions.

Goals: the listing as printed, both readings of its line 30, in parts that may run in different
processes. Non-goals: fleets beyond what can be enumerated (10^6 joint actions, about five devices),
and devices that join or leave. It needs the extra `paper`: its networks are torch's.

    lines       content                                   where
    1, 3        Q, Q', D_direct, D_plan                   policy_model.PolicyModel
    2, 3        System, D_world                           system_model.SystemModel
    4-5         epochs, α, and the sessions of each       settings.Epochs
    6-16        direct sessions: act, store, update Q     PolicyModel.observe
    9-10        epsilon-greedy over joint actions         decision.decide, randomised
    14-15       one prioritised minibatch of D_direct     replay.Memory, networks.learn
    16, 38      Q' follows Q                              networks.polyak_update
    17-20       sessions of the system model              SystemModel.end_epoch
    21-34       K best actions of the model into D_plan   planning.plan, suggest
    30          a modelled step, or a real one            settings.real_planning
    35-37       planning sessions: update Q from D_plan   PolicyModel.end_epoch

    agent.py           all of it in one process
    joint.py           joint actions as numbers in base O; the cost, with the penalty
    networks.py        the network of Q and System; the only module here that imports torch
    parameters.py      its parameters as safetensors
"""
