# All images for x86-64 and ARM64: `docker buildx bake -f compose/bake.hcl --push`. An image of two
# platforms needs a registry; `--set *.platform=linux/arm64 --load` builds one platform locally.
variable "PREFIX" { default = "tercet" }
variable "TAG" { default = "latest" }
variable "PYTHON_IMAGE" { default = "python:3.11-slim-bookworm" }
variable "PIP_EXTRA_INDEX_URL" { default = "" }

group "default" {
  targets = ["image"]
}

target "image" {
  name       = image
  matrix     = { image = ["monitor", "inference", "gateway", "models", "orchestrator", "world-model", "dashboard", "paper"] }
  context    = "."
  dockerfile = "compose/Dockerfile"
  target     = image
  tags       = ["${PREFIX}-${image}:${TAG}"]
  platforms  = ["linux/amd64", "linux/arm64"]
  args = {
    PYTHON_IMAGE        = PYTHON_IMAGE
    PIP_EXTRA_INDEX_URL = PIP_EXTRA_INDEX_URL
  }
}
