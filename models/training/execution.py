"""Settings of TensorFlow's execution: threads, precision and compilation."""

import contextlib
import functools
from collections.abc import Iterator

import tensorflow as tf
from absl import logging

from features.errors import UserInputError
from kernels import library
from models.layers.ranking_head import RankingHead
from models.ranking_model import RankingModel
from models.training.config import TrainingConfig

_REWRITE = "auto_mixed_precision_onednn_bfloat16"


def set_threads(config: TrainingConfig) -> None:
    """Sets the sizes of the process's thread pools that the configuration names.

    Raises:
      UserInputError: TensorFlow already runs with other sizes.
    """
    threading = tf.config.threading
    try:
        if config.intra_op_threads:
            threading.set_intra_op_parallelism_threads(config.intra_op_threads)
        if config.inter_op_threads:
            threading.set_inter_op_parallelism_threads(config.inter_op_threads)
    except RuntimeError as error:
        raise UserInputError(
            f"training.intra_op_threads={config.intra_op_threads} and training.inter_op_threads="
            f"{config.inter_op_threads} cannot be set any more: TensorFlow runs with "
            f"{threading.get_intra_op_parallelism_threads()} and "
            f"{threading.get_inter_op_parallelism_threads()} (0: as many as there are cores). A "
            "process has one number of threads: train in a process of its own."
        ) from error


@contextlib.contextmanager
def kernels(config: TrainingConfig) -> Iterator[None]:
    """Uses native kernels within the block as configured.

    The workers of a parameter server cluster run graphs of the coordinator, which have none: the
    servers' TensorFlow does not know the ops.

    Raises:
      UserInputError: they are required, and not there, or not to be had with this strategy.
    """
    mode = config.kernels
    if isinstance(tf.distribute.get_strategy(), tf.distribute.ParameterServerStrategy):
        if mode == "on":
            raise UserInputError(
                "training.kernels=on cannot be had with training.strategy=parameter_server, whose "
                "servers do not know the kernels. Set training.kernels=auto."
            )
        mode = "off"
    with library.use(mode):
        yield


@contextlib.contextmanager
def settings(model: RankingModel, config: TrainingConfig) -> Iterator[None]:
    """Applies the configured precision and compilation within the block."""
    with precision(config.mixed_precision), compiled_heads(model, config.jit_compile):
        yield


@contextlib.contextmanager
def precision(mixed: bool) -> Iterator[None]:
    """Computes matrix products of graphs that run within the block in bfloat16.

    TensorFlow's graph optimizer casts the operands of products, and safe ops between them, and
    leaves sums, softmax, loss and variables in float32. A bfloat16 has the range of a float32, so
    losses need no scaling. Saved and served models are float32.

    Args:
      mixed: False changes nothing.
    """
    options = tf.config.optimizer
    before = options.get_experimental_options().get(_REWRITE, False)
    options.set_experimental_options({_REWRITE: mixed or before})
    try:
        if mixed and not _rounds_products():
            logging.warning(
                "training.mixed_precision has no effect on this machine: TensorFlow computes "
                "products in bfloat16 only on a CPU with AVX512, best with AMX or AVX512-BF16."
            )
        yield
    finally:
        options.set_experimental_options({_REWRITE: before})


@functools.cache
def _rounds_products() -> bool:
    """Returns whether products are in bfloat16, which holds 8 bits, on this machine.

    To be asked where graphs are rewritten to it.
    """
    ones, more = tf.ones((64, 256)), tf.fill((256, 64), 1 + 2.0**-12)
    product = tf.function(lambda a, b: tf.nn.relu(tf.matmul(a, b)))
    return bool(tf.reduce_all(product(ones, more) == 256.0))


@contextlib.contextmanager
def compiled_heads(model: RankingModel, compiled: bool) -> Iterator[None]:
    """Compiles the model's heads with XLA in steps traced within the block, once per shape.

    XLA cannot compile the whole step: the loss selects candidates by mask, and their number is
    known only at run time.

    Args:
      model: its heads are restored when the block ends, so that it is exported without XLA.
      compiled: False changes nothing.
    """
    heads = [layer for layer in model.layers if compiled and isinstance(layer, RankingHead)]
    for head in heads:
        # A partial hides the function from checkpoints, which would track it as the model's part.
        compiled_call = tf.function(head.call, jit_compile=True, autograph=False)
        head.call = functools.partial(compiled_call)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for head in heads:
            del head.call
