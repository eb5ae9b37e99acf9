"""What can go wrong in the zoo, each in one line that names the file or the variant.

* AssetError
    * ModelError    a model is missing, changed, unknown or not a classifier
    * ImageError    bytes that are no usable picture, or a folder without one
"""


class AssetError(Exception):
    """Everything the zoo raises on purpose."""


class ModelError(AssetError):
    """A model file is missing, truncated or changed, or a variant is unknown."""


class ImageError(AssetError):
    """These bytes, or this folder, hold no usable picture."""


def one_line(error: BaseException, limit: int = 160) -> str:
    """First line of what a library complained of, short enough for a message of ours."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:limit]
