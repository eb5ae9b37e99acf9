"""Classify one picture: python examples/classify.py photo.jpg [http://gateway:8100]."""

import json
import sys
import urllib.request
from pathlib import Path

picture = Path(sys.argv[1]).read_bytes()
url = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8100"
headers = {"Content-Type": "image/jpeg", "X-Source": "example", "X-Deadline-Ms": "2000"}
request = urllib.request.Request(f"{url}/v1/infer", picture, headers)
with urllib.request.urlopen(request, timeout=5) as response:
    answer = json.load(response)
for label in answer["labels"]:
    print(f"{label['probability']:.1%} {label['name']}")
print("from", answer["option"], "on", answer["node"], "in", answer["response_ms"], "ms")
