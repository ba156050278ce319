"""The batches that a model is trained on, as passes whose order is a function of the seed."""

import dataclasses

import numpy as np
import tensorflow as tf

from models.inputs import candidate_mixing, input_pipeline
from models.inputs.example_set import ExampleSet
from models.training.config import TrainingConfig


@dataclasses.dataclass(frozen=True)
class TrainingInput:
    """Passes over the train split.

    A pass has its own order, which the seed and the pass's number decide alone: a run that goes
    on after N batches reads the batches that it would have read had it not been killed.

    Attributes:
      examples: the data set.
      config: size of a batch, what is mixed, and the seed.
    """

    examples: ExampleSet
    config: TrainingConfig

    def one_pass(self, number: int) -> tf.data.Dataset:
        """Returns the batches of a pass, the same ones in the same order each time.

        Args:
          number: of the pass, from 0.
        """
        size = self.config.batch_candidates
        seed = int(np.random.SeedSequence((self.config.seed, number)).generate_state(1)[0] >> 1)
        batches = input_pipeline.training_batches(
            self.examples, "train", size, self.config.shuffle_buffer, seed
        )
        if self.config.batches_of == "requests":
            return batches
        return candidate_mixing.mix_candidates(batches, self.examples.schema, size, seed)

    def after(self, batches: int) -> tf.data.Dataset:
        """Returns what is left of the pass in which a number of batches, of all passes, ends."""
        number, done = divmod(batches, self.batches_per_pass)
        return self.one_pass(number).skip(done) if done else self.one_pass(number)

    @property
    def batches_per_pass(self) -> int:
        """How many batches a pass has."""
        size = self.config.batch_candidates
        if self.config.batches_of == "requests":
            return input_pipeline.count_batches(self.examples, "train", size)
        return candidate_mixing.count_mixed_batches(self.examples, "train", size)

    @property
    def candidates_per_batch(self) -> float:
        """The mean number of candidates in a batch, without padding."""
        shown = self.examples.candidates_per_record("train")
        candidates = sum(size * records for size, records in shown.items())
        return candidates / self.batches_per_pass

    @property
    def steps_per_evaluation(self) -> int:
        """Steps between two evaluations."""
        return -(-self.batches_per_pass // self.config.evaluations_per_epoch)

    @property
    def steps(self) -> int:
        """Steps of the whole training, unless it ends early."""
        return self.steps_per_evaluation * self.config.evaluations_per_epoch * self.config.epochs
