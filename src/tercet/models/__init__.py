"""The models: eight MobileNetV1 variants, built or imported, verified, and run by onnxruntime.

What runs on a small host (`variants`, `manifest`, `images`, `session`, `pace`, `classifier`) and
what sees to it that models are there (`store`, `workers`) import neither torch nor onnx. What
builds them (`build`, `mobilenet`, `weights`, `augment`, `graph`, `quantise`), brings them (`bring`,
`foreign`) or trains them (`fit`, `train`, `batches`) does, in processes of its own.
"""

import os

# From 1.29 on, onnxruntime's Linux wheels report home unless told not to. The package requires an
# older one; this covers whoever installs another. It is read when onnxruntime is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
