"""The model of costs: what a request costs on average, learned from what its parts took.

    time of a request = exp(network) + exp(service)                    (body, milliseconds)
    cost              = time x ratio of its place, at most the deadline

Network belongs to a device and a path, service to a node, a variant, its load and its state; a
device's own processor is a node like any other. Both are linear in named effects with fixed priors
(`effects.py`), so what was learned about one never depends on which others are there.
"""
