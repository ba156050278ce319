"""An exported SavedModel in memory, and its signatures called with arrays."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from features.errors import UserInputError
from features.files import stamps
from features.records.requests import Arrays
from features.schema import CANDIDATES, ExampleSchema
from serving_signatures import names
from serving_signatures.versions import exported_version


@dataclasses.dataclass(frozen=True)
class LoadedVersion:
    """A version as TF Serving would load it.

    Attributes:
      folder: `<export_dir>/<version>`.
      schema: what the model was trained with.
      loaded: keeps the variables alive.
      signatures: by name.
    """

    folder: str
    schema: ExampleSchema
    loaded: Any
    signatures: dict[str, Any]

    @classmethod
    def open(cls, folder: str) -> "LoadedVersion":
        """Loads a version.

        Raises:
          UserInputError: the folder is not what `pipeline.export` publishes, or a file of it
            is damaged.
        """
        if not tf.saved_model.contains_saved_model(folder):
            raise UserInputError(
                f"{folder!r} holds no SavedModel. Give a version that pipeline.export published: "
                "<export_dir>/<number>."
            )
        exported_version.check_files(folder)
        # Of what has not changed, the second check reads nothing; it explains an error of loading.
        with stamps.checked_after(lambda: exported_version.check_files(folder)):
            schema = ExampleSchema.from_dict(exported_version.schema_of(folder))
            exported_version.load_ops(folder)
            loaded = tf.saved_model.load(folder)
        return cls(folder, schema, loaded, dict(loaded.signatures.items()))

    @property
    def version(self) -> str:
        """The number that TF Serving knows it by."""
        return os.path.basename(os.path.abspath(self.folder))

    @property
    def wants_vectors(self) -> tuple[str, ...]:
        """The modalities whose vectors `score_request` is sent."""
        inputs = self.inputs(names.SCORE_REQUEST)
        return tuple(
            name
            for name in self.schema.modality_names
            if CANDIDATES.feature(names.vector(name)) in inputs
        )

    @property
    def holds_tables(self) -> tuple[str, ...]:
        """The modalities whose embedding sets lie inside and can be looked at."""
        signature = self.signatures.get(names.TARGET_AWARE_PROJECTIONS)
        if signature is None or names.ITEM_IDS not in self.inputs(names.TARGET_AWARE_PROJECTIONS):
            return ()
        return tuple(
            name
            for name in self.schema.modality_names
            if names.quantized(name) in signature.structured_outputs
        )

    def inputs(self, signature: str) -> dict[str, tf.TensorSpec]:
        """Returns a signature's inputs by name."""
        return self.signatures[signature].structured_input_signature[1]

    def call(self, signature: str, batch: Mapping[str, np.ndarray]) -> Arrays:
        """Calls a signature, see the function `call`."""
        return call(self.signatures[signature], batch)

    def vocabulary(self) -> np.ndarray | None:
        """Returns the item ids with a row of their own, `[N]` int64; None where ids are hashed."""
        for variable in self.signatures[names.SCORE_REQUEST].variables:
            if variable.name.split("/")[-1].startswith("vocabulary"):
                return variable.numpy()
        return None


def inputs_of(signature: Any, batch: Mapping[str, np.ndarray]) -> Arrays:
    """Returns those arrays of a batch that a signature takes.

    Args:
      signature: a concrete function with named inputs.
      batch: arrays by name; those that the signature does not take are left out.
    """
    return {name: batch[name] for name in signature.structured_input_signature[1]}


def call(signature: Any, batch: Mapping[str, np.ndarray]) -> Arrays:
    """Calls a signature with those arrays of a batch that it takes.

    Raises:
      tf.errors.InvalidArgumentError: the signature refuses a value.
      TypeError or ValueError: a dtype or a shape does not fit.
    """
    inputs = {name: tf.constant(value) for name, value in inputs_of(signature, batch).items()}
    return {name: tensor.numpy() for name, tensor in signature(**inputs).items()}


def reason(error: Exception) -> str:
    """Returns the line of a signature's refusal that says why, without the graph's nodes."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    nodes = [number for number, line in enumerate(lines) if line.startswith("[[")]
    return lines[max(nodes[0] - 1, 0)] if nodes else lines[0]
