"""Lazy Adam: a step over an embedding table costs as much as the batch's rows.

Written here because Keras has no lazy Adam, and TensorFlow Addons, which had one, is no longer
maintained.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from kernels import library
from kernels import rows as row_kernels


class LazyAdam(keras.optimizers.Adam):
    """Row-wise lazy Adam: rows that are not in the batch keep their weights and moments.

    Keras' Adam decays the moments of all rows and moves all rows at every step, so its time grows
    with the table. Here a sparse gradient reads and writes only the rows that it names. For these
    rows, with the optimizer's step count t and the sum g of the row's gradients,

        m <- beta_1 m + (1 - beta_1) g
        v <- beta_2 v + (1 - beta_2) g^2
        w <- w - learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)

    which equals Adam if every row has a gradient at every step (Kingma and Ba, "Adam: a Method for
    Stochastic Optimization", ICLR 2015). The bias correction uses the optimizer's step count, not
    one per row, as in TensorFlow Addons' LazyAdam. So a row first seen late starts, as in dense
    Adam, with steps of up to `(1 - beta_1) / sqrt(1 - beta_2)`, three times Adam's first step. A
    dense gradient is applied as by Adam, in one pass over the variable and its slots, where Keras
    makes fifteen.

    Slots hold two numbers per weight, and are saved and restored like Adam's.

    Example of one step over a table of three rows: a gradient that names row 1 reads and writes
    row 1 of the table, of m and of v; rows 0 and 2 of all three stay as they are.

    Args:
      learning_rate: step size or its schedule.
      beta_1: decay of the first moment.
      beta_2: decay of the second moment.
      epsilon: added to the root of the second moment.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "LazyAdam",
    ) -> None:
        super().__init__(
            learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            name=name,
            jit_compile=False,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        kept = ("name", "learning_rate", "beta_1", "beta_2", "epsilon")
        return {name: config[name] for name in kept}

    def update_step(self, gradient: tf.Tensor | tf.IndexedSlices, variable: tf.Variable) -> None:
        """Updates one variable.

        Args:
          gradient: dense `[N, ...]`, or sparse with `[K, ...]` values; Keras has already summed
            the duplicates of a row.
          variable: `[N, ...]`.
        """
        slot = self._index_dict[self._var_key(variable)]
        momentum, velocity = self._momentums[slot], self._velocities[slot]
        step = tf.cast(self.iterations + 1, variable.dtype)
        powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        rate = tf.cast(self.learning_rate, variable.dtype)
        if isinstance(gradient, tf.IndexedSlices):
            # The bias correction of both moments, as one factor of the step size.
            rate = rate * tf.sqrt(1 - powers[1]) / (1 - powers[0])
            self._update_rows(variable, momentum, velocity, rate, gradient)
            return
        # One fused kernel, which corrects the bias itself.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.handle,
            v=velocity.handle,
            beta1_power=powers[0],
            beta2_power=powers[1],
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )

    def _deduplicate_sparse_grad(self, grads: Sequence[Any]) -> Sequence[Any]:
        """Sums duplicate rows, as Keras does; a kernel does so itself."""
        return grads if _uses_kernels() else super()._deduplicate_sparse_grad(grads)

    def _update_rows(
        self,
        variable: tf.Variable,
        momentum: tf.Variable,
        velocity: tf.Variable,
        rate: tf.Tensor,
        gradient: tf.IndexedSlices,
    ) -> None:
        """Updates the rows that a gradient names.

        Args:
          variable: `[N, ...]`.
          momentum: m, `[N, ...]`.
          velocity: v, `[N, ...]`.
          rate: step size with the bias correction, scalar.
          gradient: rows `[K]` and their values `[K, ...]`.
        """
        if _uses_kernels():
            tables, betas = (variable, momentum, velocity), (self.beta_1, self.beta_2)
            row_kernels.lazy_adam(tables, rate, gradient, betas, self.epsilon)
            return
        rows, values = gradient.indices, gradient.values
        first = self._moment(momentum, rows, values, self.beta_1)
        second = self._moment(velocity, rows, tf.square(values), self.beta_2)
        move = rate * first / (tf.sqrt(second) + self.epsilon)
        variable.scatter_sub(tf.IndexedSlices(move, rows))

    @staticmethod
    def _moment(slot: tf.Variable, rows: tf.Tensor, values: tf.Tensor, decay: float) -> tf.Tensor:
        """Updates a moment of the rows in its slot and returns it, `[K, ...]`."""
        moment = decay * tf.gather(slot, rows) + (1 - decay) * values
        slot.scatter_update(tf.IndexedSlices(moment, rows))
        return moment


def _uses_kernels() -> bool:
    """Whether a kernel updates rows: a strategy may keep variables on servers, which have none."""
    return library.ops() is not None and not tf.distribute.has_strategy()
