"""HTTP in front of the gateway, in formats that applications already speak.

POST /v1/infer                       a picture as body, labels as JSON           plain.py
/v2/…                                Open Inference Protocol v2                  open_inference.py
POST /v1/vision/scene, detection, …  DeepStack and CodeProject.AI                deepstack.py

The routes know nothing of the bus: each request becomes an `ApplicationRequest`, which an `Infer`
answers. Every refusal is an HTTP status and one line.
"""
