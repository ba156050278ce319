"""Ways to take a training step, each as a call that the benchmark times."""

import dataclasses
import functools
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras

from benchmarks.model_alternatives.materialized_attention import MaterializedDMF
from features.embeddings import embedding_set
from features.embeddings.embedding_set import EmbeddingSet
from features.schema import CANDIDATE_MASK, Modality
from models import factory
from models.dmf import DMF
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.training import execution, optimizers
from models.training.config import TrainingConfig
from models.training.passes import TrainingInput

_MODEL = ModelConfig(embedding_width=128, head_width=128, hidden=(1024, 512, 256))
_BATCH = 512
_CANDIDATES_OF_BUCKET = 32
_SHUFFLE_BUFFER = 2000
_STEPS_OF_SCHEDULE = 10_000
_IN_MEMORY = 8
_LARGEST_DIFFERENCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Way:
    """One way.

    Attributes:
      layout: `flat`, single candidates of all requests as `candidate_mixing` makes them, or
        `grouped`, whole requests.
      run: takes one step and returns its number of candidates.
      calls: of `run` in a round.
      clock: returns the processor seconds that its steps took so far.
    """

    layout: str
    run: Callable[[], int]
    calls: int
    clock: Callable[[], float] = time.process_time


def batches(examples: ExampleSet, layout: str) -> tf.data.Dataset:
    """Returns one pass as training reads it, about 512 candidates per batch."""
    (candidates,) = examples.candidates_per_record("train")
    # A batch of whole requests is sized for the largest of its bucket; this fills it.
    size = _BATCH if layout == "flat" else _BATCH // candidates * _CANDIDATES_OF_BUCKET
    config = TrainingConfig(
        batch_candidates=size,
        batches_of="candidates" if layout == "flat" else "requests",
        shuffle_buffer=_SHUFFLE_BUFFER,
    )
    return TrainingInput(examples, config).one_pass(0)


def reading(examples: ExampleSet, layout: str) -> Way:
    """Returns the next batch of the records, without a model; a round is a whole pass.

    Passes repeat without end: the graph of a pass is built once, as in training.
    """
    data = batches(examples, layout)
    calls = int(data.reduce(0, lambda count, _: count + 1))
    iterator = iter(data.repeat())

    def run() -> int:
        return int(np.prod(next(iterator)[CANDIDATE_MASK].shape))

    return Way(layout, run, calls)


def training(
    examples: ExampleSet, layout: str, steps: int, config: TrainingConfig, fed: bool = False
) -> Way:
    """Returns a step of `dmf`, as `fit` takes it, on a few batches that are kept in memory.

    Args:
      examples: the records.
      layout: of the batches.
      steps: in a round.
      config: how to train.
      fed: read each batch from the records instead, as training does.
    """
    model = _build(DMF, examples)
    model.compile(optimizer=optimizers.build_optimizer(model, config, _STEPS_OF_SCHEDULE))
    data = batches(examples, layout)
    return _steps(model, data if fed else data.take(_IN_MEMORY).cache(), layout, steps, config)


def materialized(examples: ExampleSet, layout: str, steps: int, config: TrainingConfig) -> Way:
    """Returns a step of the model with materialized attention and one dense Adam."""
    model = _build(MaterializedDMF, examples)
    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate))
    data = batches(examples, layout).take(_IN_MEMORY).cache()
    return _steps(model, data, layout, steps, config)


def check_equal(examples: ExampleSet) -> float:
    """Checks that both models are the same function, on random weights.

    Returns:
      The largest difference of a logit.

    Raises:
      RuntimeError: they differ.
    """
    ours, other = _build(DMF, examples), _build(MaterializedDMF, examples)
    rng = np.random.default_rng(0)
    for variable in ours.attention.trainable_variables:
        variable.assign(0.2 * rng.standard_normal(variable.shape))
    other.set_weights(ours.get_weights())
    differences = []
    for layout in ("flat", "grouped"):
        batch = next(iter(batches(examples, layout)))
        differences.append(tf.reduce_max(tf.abs(ours(batch) - other(batch))).numpy())
    largest = float(np.max(differences))  # NaN, if one is
    if not largest <= _LARGEST_DIFFERENCE:
        raise RuntimeError(
            f"The materialized model differs from ours by {largest} in a logit, expected at "
            f"most {_LARGEST_DIFFERENCE}: no ratio of their times would mean anything."
        )
    return largest


def _build(kind: type[DMF], examples: ExampleSet) -> DMF:
    """Returns a model of the benchmark's size whose variables exist."""
    keras.utils.set_random_seed(1)
    vocabulary = examples.vocabulary()
    vectors = _vectors(len(vocabulary), examples.schema.modalities)
    model = kind(_MODEL, examples.schema, vocabulary, vectors)
    model.create_variables(factory.zero_batch(examples.schema))
    return model


@functools.cache
def _vectors(items: int, modalities: tuple[Modality, ...]) -> dict[str, EmbeddingSet]:
    """Returns random vectors of the items 1 to N, which attention reads."""
    rng, item_ids = np.random.default_rng(1), np.arange(1, items + 1)
    return {
        one.name: embedding_set.from_vectors(
            item_ids, rng.standard_normal((items, one.dimension), np.float32)
        )
        for one in modalities
    }


def _steps(
    model: DMF, data: tf.data.Dataset, layout: str, steps: int, config: TrainingConfig
) -> Way:
    """Returns the step that `fit` takes, on the next batch of passes without end."""
    count = int(np.prod(next(iter(data))[CANDIDATE_MASK].shape))
    step, iterator = model.make_train_function(), iter(data.repeat())

    def run() -> int:
        with execution.kernels(config), execution.settings(model, config):
            step(iterator)
        return count

    return Way(layout, run, steps)
