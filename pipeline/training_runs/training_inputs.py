"""The inputs of a training: joined examples and the model to start from."""

import os

from features.errors import UserInputError
from features.files import manifest, storage
from models.inputs.example_part import open_part
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig

LAST = "last"


def open_examples(
    folder: str, vocabulary: str | None, config: ModelConfig, part: str | None = None
) -> ExampleSet:
    """Opens the data set to train on.

    Args:
      folder: written by the join.
      vocabulary: folder or file of the ids that get a row of their own; None for the join's.
      config: of the model.
      part: the only part to train on, of a data set of parts; None for all.

    Raises:
      UserInputError: something does not exist, or the model could not use it.
    """
    examples = ExampleSet.open(folder)
    if part is not None:
        examples = open_part(examples, part)
    if vocabulary is None:
        return examples
    if config.hashed_buckets:
        raise UserInputError(
            f"--vocabulary and model.hashed_buckets={config.hashed_buckets} do not go together: "
            "hashed ids have no vocabulary. Leave one of them out."
        )
    return examples.with_vocabulary(vocabulary)


def find_start(warm_start: str | None, model_dir: str) -> str | None:
    """Returns the folder of the model to start from.

    `last` is the last complete model by name, not by time: a training that is run again then
    starts from the same model. Give folders names that sort by date: `models/2026-05-02`.

    Args:
      warm_start: a folder, `last`, or None for no warm start.
      model_dir: the folder to write.

    Raises:
      UserInputError: both are the same folder, or there is no earlier model beside it.
    """
    if warm_start is None:
        return None
    folder = os.path.abspath(model_dir)
    if warm_start == LAST:
        parent, own = os.path.split(folder)
        names = sorted(os.listdir(parent)) if os.path.isdir(parent) else []
        earlier = [name for name in names if name < own and _is_complete(parent, name)]
        if not earlier:
            raise UserInputError(
                f"--warm_start last: no complete model in {parent!r} has a name before {own!r}. "
                "Train the first one without --warm_start, under a name that sorts first."
            )
        return os.path.join(parent, earlier[-1])
    if not storage.is_remote(warm_start) and os.path.abspath(warm_start) == folder:
        raise UserInputError(
            f"--warm_start and --model_dir are both {model_dir!r}, which would overwrite the "
            "model to start from. Give --model_dir a new name."
        )
    return warm_start


def _is_complete(parent: str, name: str) -> bool:
    return os.path.isfile(os.path.join(parent, name, manifest.FILE_NAME))
