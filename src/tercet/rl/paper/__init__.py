"""The paper's own agent: Algorithm 1 of Shahhosseini et al., ISQED 2022, over joint actions.

Goals: the listing as printed, both readings of its line 30, with defaults tuned as carefully as
those of `hybrid`. Non-goals: fleets beyond what can be enumerated (10^6 joint actions, about five
devices), and devices that join or leave.

    lines       content                                   where
    1-3         networks Q, Q', System; the buffers       agent.HybridPaper.__init__
    4-5         epochs, and α                             agent.HybridPaper._algorithm
    6-16        direct sessions: act, store, update Q     agent._algorithm, _explore, _update
    9-10        epsilon-greedy over joint actions         agent._explore, JointActions.neighbour
    14-15       one prioritised minibatch of D_direct     dqn.PrioritisedMemory, dqn.learn
    16, 38      Q' follows Q                              joint_network.polyak_update
    17-20       sessions of the system model              agent._update_system
    21-34       K best actions of the model into D_plan   agent._suggest, dqn.Shortlist
    30          a modelled step, or a real one            settings.real_planning
    35-37       planning sessions: update Q from D_plan   agent._update

    joint.py           joint actions as numbers in base O; the cost, with the penalty
    joint_network.py   the network of Q and System, in numpy: forward, gradient, Adam
    dqn.py             transitions, priorities, the update; also used by the baseline `adadeep`
"""
