"""The models: eight MobileNetV1 variants, built or imported, verified, and run by onnxruntime.

What runs on a small host (`variants`, `manifest`, `images`, `session`, `pace`, `classifier`) and
what sees to it that models are there (`store`, `workers`) import neither torch nor onnx. What
builds them (`build`, `mobilenet`, `weights`, `augment`, `graph`, `quantise`) does, in processes of
its own.
"""
