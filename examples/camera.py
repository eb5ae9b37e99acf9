"""Watch a camera: classify a frame every second, and print what it shows when that changes.

python examples/camera.py http://camera/snapshot.jpg [--gateway http://127.0.0.1:8100]

The frames are the snapshots that nearly every network camera serves, or a file that something else
overwrites. A frame that the gateway has no room for is dropped, not queued: the next is newer.
"""

import argparse
import contextlib
import http.client
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any


def frame(place: str) -> bytes:
    """The camera's picture as it is now."""
    if place.startswith(("http://", "https://")):
        with urllib.request.urlopen(place, timeout=5) as response:
            content: bytes = response.read()
            return content
    return Path(place).read_bytes()


def classified(gateway: str, picture: bytes, camera: str, number: int) -> dict[str, Any]:
    """The gateway's answer to one frame."""
    headers = {
        "Content-Type": "image/jpeg",
        "X-Deadline-Ms": "1000",
        "X-Source": camera,
        "X-Frame": str(number),
    }
    request = urllib.request.Request(f"{gateway}/v1/infer", picture, headers)
    with urllib.request.urlopen(request, timeout=5) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def watch(options: argparse.Namespace) -> None:
    """Classify frame after frame, until interrupted or after `--frames` of them."""
    shown, number = "", 0
    while options.frames is None or number < options.frames:
        number += 1
        pause = options.every
        try:
            picture = frame(options.camera)
            answer = classified(options.gateway, picture, options.name, number)
        except urllib.error.HTTPError as error:  # The gateway's reason is one line of JSON.
            print("frame", number, "dropped:", error.code, error.read().decode(), flush=True)
            pause = float(error.headers.get("Retry-After", pause))
        except (OSError, http.client.HTTPException) as error:
            print("frame", number, "dropped:", error, flush=True)
        else:
            best = answer["labels"][0]
            if best["name"] != shown:
                shown = best["name"]
                where = f"{answer['option']} on {answer['node']}, {answer['response_ms']:.0f} ms"
                print(f"frame {number}: {shown} ({best['probability']:.0%}; {where})", flush=True)
        time.sleep(pause)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Watch a camera.")
    parser.add_argument("camera", help="URL of its snapshot, or a file")
    parser.add_argument("--gateway", default="http://127.0.0.1:8100", help="URL of a gateway")
    parser.add_argument("--name", default="camera", help="its name in outcomes and results")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two frames")
    parser.add_argument("--frames", type=int, help="end after so many frames")
    with contextlib.suppress(KeyboardInterrupt):
        watch(parser.parse_args())
