"""The configuration of a training."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from features.schema import STRICT

OptimizerName = Literal["adam", "lazy_adam", "adagrad"]
StrategyName = Literal["auto", "one_device", "mirrored", "multi_worker", "parameter_server"]


@dataclass(frozen=True, config=STRICT)
class TableOptimizer:
    """The optimizer of one embedding table.

    Attributes:
      optimizer: the optimizer of this table.
      learning_rate: initial learning rate, which decays like the others; None for
        `training.learning_rate`.
    """

    optimizer: OptimizerName
    learning_rate: PositiveFloat | None = None


@dataclass(frozen=True, config=STRICT)
class TrainingConfig:
    """Batches, optimizers and selection.

    Attributes:
      batch_candidates: candidates in a batch, over all its requests and all replicas.
      batches_of: `candidates` mixes single candidates of all requests (`candidate_mixing`);
        `requests` keeps a request's candidates together, which is cheaper for requests with many
        candidates, because the history is read once.
      epochs: most passes over the train split; validation ends a training earlier (`patience`).
      evaluations_per_epoch: evaluations on the validation split; the weights with the best
        validation AUC of the main label are kept.
      patience: evaluations in a row without improvement before training stops; 0 never stops it.
      min_improvement: validation AUC by which an evaluation has to exceed the last improvement to
        be one. Small steps add up; the weights with the best AUC are kept in any case.
      max_steps: most steps; 0 for no bound.
      max_seconds: longest time of the training in seconds, without what precedes its first step;
        0 for no bound. The step at which it ends is evaluated, which takes longer.
      strategy: how training is distributed: `auto` follows `TF_CONFIG`, `mirrored` takes every
        device of this machine (`models.training.distribution`).
      optimizer: the optimizer of all variables but the bucket tables. `lazy_adam`
        (`models.training.lazy_adam`) updates only the rows of a batch, so its time does not grow
        with the table, as Adam's does.
        `adagrad` keeps one slot instead of two.
      learning_rate: initial learning rate of `optimizer`.
      table_optimizers: separate optimizers of embedding tables, by the table's name: `item_id`,
        or a categorical feature's in the records, such as `candidate_genres`.
      bucket_learning_rate: initial learning rate of the bucket tables, whose optimizer is Adam.
      learning_rate_decay: `none` keeps all learning rates, after a warm-up, so that the training
        may end at any step; `linear` decays them to a twentieth over all steps, which takes a known
        end: give `epochs`, and `averaging` and `patience` of 0.
      averaging: weights are averaged over the steps so far, and the averages are evaluated and
        kept; the larger the number, the more the last steps count (`models.training.averages`). 0
        for none.
      checkpoint_seconds: longest time, in seconds, between two checkpoints of the training state;
        each evaluation is preceded by one, too.
      shuffle_buffer: records that are shuffled together.
      seed: of initial values, shuffling and id dropout.
      deterministic: makes every op deterministic, at some cost.
      mixed_precision: matrix products in bfloat16 (`models.training.execution`), for CPUs with AMX
        or AVX512-BF16; slower with AVX512 alone. Without AVX512, or on a GPU, it has no effect, and
        a warning says so.
      jit_compile: compiles the heads with XLA, once per batch shape; the exported model is not.
      intra_op_threads: threads within an op; 0 for the number of cores.
      inter_op_threads: ops that run at the same time; 0 for the number of cores.
      kernels: native kernels, where the model has any: `auto` uses them if the library was built
        (`kernels`), `on` requires it, `off` never uses them.
    """

    batch_candidates: PositiveInt = 512
    batches_of: Literal["candidates", "requests"] = "candidates"
    epochs: PositiveInt = 12
    evaluations_per_epoch: PositiveInt = 4
    patience: NonNegativeInt = 6
    min_improvement: NonNegativeFloat = 3e-4
    max_steps: NonNegativeInt = 0
    max_seconds: NonNegativeFloat = 0.0
    strategy: StrategyName = "auto"
    optimizer: OptimizerName = "adam"
    learning_rate: PositiveFloat = 4e-3
    table_optimizers: dict[str, TableOptimizer] = Field(default_factory=dict)
    bucket_learning_rate: PositiveFloat = 8e-3
    learning_rate_decay: Literal["linear", "none"] = "none"
    averaging: NonNegativeFloat = 8.0
    checkpoint_seconds: PositiveFloat = 600.0
    shuffle_buffer: PositiveInt = 100_000
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    deterministic: bool = False
    mixed_precision: bool = False
    jit_compile: bool = False
    intra_op_threads: NonNegativeInt = 0
    inter_op_threads: NonNegativeInt = 0
    kernels: Literal["auto", "on", "off"] = "auto"
