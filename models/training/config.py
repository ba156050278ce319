"""How a model is trained."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from features.schema import STRICT

OptimizerName = Literal["adam", "lazy_adam", "adagrad"]
StrategyName = Literal["auto", "one_device", "mirrored", "multi_worker", "parameter_server"]


@dataclass(frozen=True, config=STRICT)
class TableOptimizer:
    """How one embedding table is trained.

    Attributes:
      optimizer: of the table.
      learning_rate: its step size at the start, which decays like the others; None for that of
        the rest.
    """

    optimizer: OptimizerName
    learning_rate: PositiveFloat | None = None


@dataclass(frozen=True, config=STRICT)
class TrainingConfig:
    """Batches, optimizers and selection.

    Attributes:
      batch_candidates: candidates in a batch, over all its requests and all replicas.
      batches_of: `candidates` mixes single candidates of all requests, see `candidate_mixing`;
        `requests` keeps a request's candidates together, which is cheaper where they are many,
        as its history is read once.
      epochs: passes over the train split; a second one overfits id embeddings.
      evaluations_per_epoch: how often the validation split is scored; the best weights by
        validation AUC, the main label's where there are two, are kept.
      patience: evaluations without a better one before training stops; 0 never stops early.
      strategy: how training is distributed, see `models.training.distribution`.
      optimizer: of everything but the bucket tables. `lazy_adam` (`models.training.lazy_adam`)
        is Adam for the rows of a batch and leaves the other rows of a table alone: its time does
        not grow with the table, Adam's does. `adagrad` keeps one slot instead of two.
      learning_rate: its step size at the start.
      table_optimizers: an optimizer of its own for an embedding table, by the table's name:
        `item_id`, or a categorical feature's in the records, such as `candidate_genres`.
      bucket_learning_rate: Adam's step size for the bucket tables at the start.
      learning_rate_decay: `linear` brings both step sizes down to a twentieth over all steps;
        `none` keeps them. With decay a larger start pays: +.002 validation AUC, and
        predictions that are calibrated at the end of a single pass.
      checkpoint_seconds: the longest time between two states that a killed run can go on from;
        one is saved before every evaluation, too.
      shuffle_buffer: records shuffled at once.
      seed: of initial values, shuffling and id dropout.
      deterministic: makes every op deterministic, at some cost.
      mixed_precision: matrix products in bfloat16, see `models.training.execution`: for CPUs with
        AMX or AVX512-BF16; on one without, a step took 1.4 to 1.8 times as long.
      jit_compile: compiles the heads with XLA, anew for each shape of a batch.
      intra_op_threads: threads within an op; 0 for as many as there are cores.
      inter_op_threads: ops at once; 0 for as many as there are cores.
    """

    batch_candidates: PositiveInt = 512
    batches_of: Literal["candidates", "requests"] = "candidates"
    epochs: PositiveInt = 1
    evaluations_per_epoch: PositiveInt = 4
    patience: NonNegativeInt = 0
    strategy: StrategyName = "auto"
    optimizer: OptimizerName = "adam"
    learning_rate: PositiveFloat = 4e-3
    table_optimizers: dict[str, TableOptimizer] = Field(default_factory=dict)
    bucket_learning_rate: PositiveFloat = 8e-3
    learning_rate_decay: Literal["linear", "none"] = "linear"
    checkpoint_seconds: PositiveFloat = 600.0
    shuffle_buffer: PositiveInt = 100_000
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    deterministic: bool = False
    mixed_precision: bool = False
    jit_compile: bool = False
    intra_op_threads: NonNegativeInt = 0
    inter_op_threads: NonNegativeInt = 0
