"""Image classifiers: built, imported or trained into a model directory, and run by onnxruntime.

Modules that run in services; they need numpy, onnxruntime, pillow and pydantic:

| module | purpose |
|---|---|
| `manifest`, `manifest_entry`, `labels`, `errors` | a family and its variants, verified |
| `families`, `variants` | families by name; the paper's eight |
| `tensor_form`, `normalisation` | a model's input and output: layout, type, size, scaling |
| `images` | bytes of a picture into model input |
| `picture_header`, `picture_decoding` | its header; pixels within bounds of memory and time |
| `session`, `model_cache`, `classifier`, `cpu_share` | run models, emulate a slower node |
| `onnxruntime_errors`, `probabilities` | why a model cannot be opened; scores as probabilities |
| `task`, `tasks`, `classification`, `detection` | what a model is asked, and how it answers |
| `folders`, `evaluate`, `profiling` | measure accuracy and speed |
| `model_directory`, `paper_family`, `worker_processes` | install, build |

Modules that build, import and train; they need torch, onnx or h5py, or call modules that do:

| module | purpose |
|---|---|
| `build`, `mobilenet`, `seeded_weights`, `graph` | build from a seed |
| `augment`, `calibration`, `quantise`, `static_quantisation` | 8-bit models |
| `imagenet` | the trained family: published weights, 8-bit forms that agree with them |
| `onnx_import`, `onnx_file`, `onnx_inspection`, `output_kind`, `observed_output` | import ONNX |
| `weight_import`, `published_weights`, `keras_file`, `timm_file` | import published weights |
| `download` | Keras' published files, from the internet |
| `fit`, `training_config`, `train`, `batches` | train on the user's classes |
"""

import os

# From 1.29 on, onnxruntime's Linux wheels send telemetry unless this is set before their import.
# The package requires an older version; this covers an installation with a newer one.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
