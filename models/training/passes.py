"""Training batches as passes over the train split, whose order the seed determines."""

import dataclasses

import numpy as np
import tensorflow as tf

from models.inputs import candidate_mixing, input_pipeline
from models.inputs.example_set import ExampleSet
from models.training.config import TrainingConfig


@dataclasses.dataclass(frozen=True)
class TrainingInput:
    """Passes over the train split.

    The seed and the number of a pass determine its order. So a run that resumes after N batches
    reads the same batches as an uninterrupted one.

    Attributes:
      examples: the data set.
      config: batch size, mixing of candidates, and the seed.
    """

    examples: ExampleSet
    config: TrainingConfig

    def one_pass(self, number: int) -> tf.data.Dataset:
        """Returns the batches of a pass, in the same order at every call.

        Args:
          number: the pass's, from 0.
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
        """Returns the rest of the current pass after this many batches, counted over all passes."""
        number, done = divmod(batches, self.batches_per_pass)
        return self.one_pass(number).skip(done) if done else self.one_pass(number)

    @property
    def batches_per_pass(self) -> int:
        """The number of batches in a pass."""
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
        return min(self.steps_of_all_passes, self.config.max_steps or self.steps_of_all_passes)

    @property
    def steps_of_all_passes(self) -> int:
        """Steps of the most passes that are configured."""
        return self._steps_per_epoch * self.config.epochs

    def passes(self, steps: int) -> float:
        """Returns the passes over the train split after this many steps, to a hundredth."""
        return round(steps / self._steps_per_epoch, 2)

    @property
    def _steps_per_epoch(self) -> int:
        """Steps of a pass, rounded up to whole evaluations."""
        return self.steps_per_evaluation * self.config.evaluations_per_epoch
