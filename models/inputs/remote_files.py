"""Remote file systems for TensorFlow, through tensorflow-io where TensorFlow has none.

One environment configures every reader of `s3://`: the variables that the AWS libraries share
(see `features.files.file_system`) are passed on under the names that tensorflow-io reads.
"""

import os
import re

from features.errors import UserInputError

_CONNECT_MILLISECONDS = 3_000
_REQUEST_MILLISECONDS = 10_000
_REMEDY = (
    "Install what it was compiled for, pip install tensorflow-io==0.37.1 tensorflow==2.16.2 "
    "tf-keras==2.16.0 (there is none for a later TensorFlow), or copy the folder to a local disk "
    "and name that."
)


def register(path: str) -> None:
    """Lets TensorFlow open the path, through tensorflow-io where necessary.

    For `s3://` this sets `S3_ENDPOINT`, `S3_CONNECT_TIMEOUT_MSEC` (3 s, not TensorFlow's 5
    minutes) and `S3_REQUEST_TIMEOUT_MSEC` (10 s) where they are not set, and skips the look-up of
    credentials on EC2 where the environment has them.

    Args:
      path: local or with a scheme, such as `s3://bucket/folder`.

    Raises:
      UserInputError: neither TensorFlow nor tensorflow-io knows the scheme.
    """
    match = re.match(r"^([a-z][a-z0-9+.-]*)://", path)
    if match is None or match[1] == "file":
        return
    if match[1] == "s3":
        _complete_environment()
    # Imported here, because readers of a local manifest alone need not wait seconds for it.
    import tensorflow as tf

    if match[1] in tf.io.gfile.get_registered_schemes():
        return
    try:
        import tensorflow_io  # noqa: F401  Registers file systems; slow to import.
    except (ImportError, NotImplementedError) as error:
        raise UserInputError(
            f"{path!r}: TensorFlow {tf.__version__} opens {match[1]}:// through tensorflow-io, "
            f"which does not load here ({error}). {_REMEDY}"
        ) from error
    if match[1] not in tf.io.gfile.get_registered_schemes():
        raise UserInputError(
            f"{path!r}: no file system for {match[1]}://. Known: "
            f"{sorted(filter(None, tf.io.gfile.get_registered_schemes()))}."
        )


def _complete_environment() -> None:
    """Passes the AWS libraries' settings on to tensorflow-io's file system."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if endpoint:
        os.environ.setdefault("S3_ENDPOINT", endpoint)
    if region:
        os.environ.setdefault("AWS_REGION", region)
    if endpoint or (region and "AWS_ACCESS_KEY_ID" in os.environ):
        os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    os.environ.setdefault("S3_CONNECT_TIMEOUT_MSEC", str(_CONNECT_MILLISECONDS))
    os.environ.setdefault("S3_REQUEST_TIMEOUT_MSEC", str(_REQUEST_MILLISECONDS))
