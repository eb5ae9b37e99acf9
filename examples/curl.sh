#!/bin/sh
# The formats of a gateway, with curl: sh examples/curl.sh photo.jpg [http://127.0.0.1:8100]
set -eu
photo=$1 url=${2:-http://127.0.0.1:8100}

# A picture as body.
curl -sS --data-binary "@$photo" -H "X-Source: curl" "$url/v1/infer?deadline_ms=2000"
echo

# What an NVR program sends (DeepStack, CodeProject.AI): a form. With a token, also -F api_key=…
curl -sS -F "image=@$photo" "$url/v1/vision/scene?deadline_ms=2000"
echo

# Open Inference Protocol v2: the server, and a picture as the whole body (a raw binary request).
curl -sS "$url/v2"
echo
curl -sS --data-binary "@$photo" -H "Inference-Header-Content-Length: 0" \
    "$url/v2/models/${FAMILY:-imagenet}/infer"
echo
