"""Arrays as .npy files that one process writes and every worker of a host maps into memory."""

import os

import numpy as np

from features.arrays import Array
from features.files import storage


def write_array(folder: str, name: str, array: Array) -> None:
    """Writes an array as `<folder>/<name>.npy`, for `map_array`.

    Args:
      folder: local or remote.
      name: may contain slashes; the folders are made.
      array: any shape and dtype without Python objects.
    """
    path = storage.join(folder, f"{name}.npy")
    storage.make_folder(path.rpartition("/")[0])
    with storage.OutputFile(path, durable=False) as file:
        np.save(file, array, allow_pickle=False)


def map_array(folder: str, name: str) -> Array:
    """Maps an array that `write_array` wrote; the folder must be local (`local_copy`)."""
    # A plain array over the same pages: indexing np.memmap itself costs microseconds more.
    return np.asarray(np.load(os.path.join(folder, f"{name}.npy"), mmap_mode="r"))
