"""What an NVR program sends to DeepStack or CodeProject.AI, sent to a gateway instead.

python examples/nvr.py photo.jpg [http://127.0.0.1:8100]

Such programs have a setting for the server's address; nothing else is changed in them.
"""

import json
import sys
import urllib.request
from pathlib import Path
from uuid import uuid4

picture = Path(sys.argv[1]).read_bytes()
url = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8100"
boundary = uuid4().hex
image = 'Content-Disposition: form-data; name="image"; filename="snapshot.jpg"\r\n\r\n'
body = b"".join((f"--{boundary}\r\n{image}".encode(), picture, f"\r\n--{boundary}--\r\n".encode()))
# The programs give up after 0.1 s by default, and the gateway knows that; here it may take longer.
request = urllib.request.Request(f"{url}/v1/vision/scene?deadline_ms=2000", body)
request.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
with urllib.request.urlopen(request, timeout=5) as response:
    answer = json.load(response)
print(answer["label"], f"{answer['confidence']:.1%}")
