"""What this package raises. Each error is one line that names the file or the variant.

* AssetError          a model, its labels or weights, or a picture cannot be used
    * ModelError      a model is missing, changed, unknown or not a classifier
    * InputError      what was sent is no input of the model
        * ImageError  bytes that are no usable picture, or a folder without one
"""


class AssetError(Exception):
    """A file that the caller has supplied or named cannot be used."""


class ModelError(AssetError):
    """A model file is missing, truncated or changed, or a variant is unknown."""


class InputError(AssetError):
    """These bytes are no input of the model that they were sent to."""


class ImageError(InputError):
    """These bytes, or this folder, hold no usable picture."""


def one_line(error: BaseException, limit: int = 160) -> str:
    """First line of a library's error, cut to `limit` characters."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:limit]
