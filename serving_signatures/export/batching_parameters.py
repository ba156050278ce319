"""How TF Serving joins the requests of a version: a file in its folder, beside its warm-up records.

A server that runs with `--enable_per_model_batching_parameters` takes all of it from here, but for
the number of threads. So versions with other batch sizes can be served side by side.
"""

import os
from collections.abc import Sequence

FILE_NAME = "batching_params.pbtxt"
"""The name is TF Serving's; it looks beside `saved_model.pb`."""

_TEXT = """\
# tensorflow.serving.BatchingParameters. The unit is dimension 0 of every input: requests (R), each
# with all its candidates; items (N) for the projection signatures. Every signature has a queue of
# its own with these sizes.
max_batch_size {{ value: {largest} }}
# Ascending. A batch is filled up to the next of these with copies of a row, and the warm-up records
# of this version cover them all. The last one has to equal max_batch_size.
{allowed}
# What a request waits at most for company.
batch_timeout_micros {{ value: 1000 }}
# In batches: beyond it a request is refused at once (UNAVAILABLE) rather than late.
max_enqueued_batches {{ value: 64 }}
# Never true: TensorFlow Serving pads with the tensor's first value, which turns a mask that starts
# with `true` into one that is true everywhere. Clients pad C and L themselves, to shared sizes.
pad_variable_length_inputs: false
"""


def write_parameters(saved_model: str, batch_sizes: Sequence[int]) -> None:
    """Writes the file.

    Args:
      saved_model: the folder of the SavedModel.
      batch_sizes: allowed R, each with warm-up records.
    """
    sizes = sorted(set(batch_sizes))
    allowed = "\n".join(f"allowed_batch_sizes: {size}" for size in sizes)
    with open(os.path.join(saved_model, FILE_NAME), "w", encoding="utf-8") as file:
        file.write(_TEXT.format(largest=sizes[-1], allowed=allowed))
