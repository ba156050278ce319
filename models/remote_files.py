"""File systems that TensorFlow itself does not know."""

import re

import tensorflow as tf

from features.errors import UserInputError


def register(path: str) -> None:
    """Makes TensorFlow able to open the path, through tensorflow-io where it has to.

    Args:
      path: local or with a scheme, such as `s3://bucket/folder`.

    Raises:
      UserInputError: neither TensorFlow nor tensorflow-io knows the scheme.
    """
    match = re.match(r"^([a-z][a-z0-9+.-]*)://", path)
    if match is None or match[1] in tf.io.gfile.get_registered_schemes():
        return
    try:
        import tensorflow_io  # noqa: F401  Registers file systems; slow to import.
    except (ImportError, NotImplementedError) as error:
        raise UserInputError(
            f"{path!r} needs tensorflow-io, which does not load here ({error}). BUILD.md lists "
            "the versions that work together."
        ) from error
    if match[1] not in tf.io.gfile.get_registered_schemes():
        raise UserInputError(
            f"{path!r}: no file system for {match[1]}://. Known: "
            f"{sorted(filter(None, tf.io.gfile.get_registered_schemes()))}."
        )
