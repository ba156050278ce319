"""The records of TFRecord files, compressed or not: the name of a file says which.

Every job that reads the shards of a data set opens them here. Reading raises
`tf.errors.DataLossError` where a record or a compressed file is damaged.
"""

import re
from collections.abc import Sequence

import tensorflow as tf

from features.records import tfrecord


def read(path: str | tf.Tensor) -> tf.data.Dataset:
    """Returns the serialized records of a file, scalar strings.

    Args:
      path: of the file, `[]` string. Where it ends in `.gz`, the file holds one gzip member.
    """
    is_gzip = tf.strings.regex_full_match(path, ".*" + re.escape(tfrecord.GZIP_SUFFIX))
    return tf.data.TFRecordDataset(path, tf.where(is_gzip, "GZIP", ""))


def read_all(paths: Sequence[str]) -> tf.data.Dataset:
    """Returns the serialized records of files, scalar strings, in the order of the files.

    Args:
      paths: of the files, of which some may be compressed.
    """
    files = tf.data.Dataset.from_tensor_slices(tf.constant(paths, tf.string))
    return files.flat_map(tf.autograph.experimental.do_not_convert(read))
