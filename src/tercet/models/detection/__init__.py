"""Object detection: boxes in pixels of the picture as it was sent.

| module | purpose |
|---|---|
| `boxes` | objects found in a picture: boxes, scores, classes |
| `letterbox` | a picture into a model's input, and boxes back into the picture |
| `suppression` | non-maximum suppression: the best of boxes that overlap |
| `output_form`, `decoding` | what a model's outputs mean; outputs into boxes |
| `recognition`, `roles` | what they mean, from names, shapes and a run |
| `average_precision`, `coco_folder`, `evaluate` | mAP on labelled pictures, by pycocotools |
"""
