"""What a training reads, as its flags say."""

from features.errors import UserInputError
from models.example_set import ExampleSet
from models.model_config import ModelConfig


def open_examples(folder: str, vocabulary: str | None, config: ModelConfig) -> ExampleSet:
    """Opens the data set that a model is to be trained on.

    Args:
      folder: that the join wrote.
      vocabulary: folder or file of the ids that get a row of their own; None for the join's.
      config: of the model.

    Raises:
      UserInputError: something is not there, or the model could not use it.
    """
    examples = ExampleSet.open(folder)
    if vocabulary is None:
        return examples
    if config.hashed_buckets:
        raise UserInputError(
            f"--vocabulary and model.hashed_buckets={config.hashed_buckets} do not go together: "
            "hashed ids have no vocabulary. Leave one of them out."
        )
    return examples.with_vocabulary(vocabulary)
