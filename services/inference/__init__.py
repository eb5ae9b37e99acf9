"""Inference names what is in a picture, or says at once that it is overloaded.

Hears  inference.v1.<node>    a JPEG as raw bytes, header `Variant` (request/reply)
Says   capability.v1.<node>   when it is ready, and then now and again: variants, accuracies,
                              measured profile
"""
