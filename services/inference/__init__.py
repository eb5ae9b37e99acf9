"""Inference classifies pictures on its node, or answers at once that it is overloaded.

Subscribes  inference.v1.<node>    a JPEG as raw bytes, header `Variant` (request/reply)
Publishes   capability.v1.<node>   when ready, and repeated: variants, accuracies, measured profile
Stores      nothing
"""
