"""The vectors of the items in question, from embedding sets or from inside the model."""

from collections.abc import Mapping

import numpy as np

from features.embeddings import embedding_files, item_vectors
from features.embeddings.item_vectors import ItemVectors
from features.errors import UserInputError
from serving_signatures import names
from serving_signatures.skew.loaded_version import LoadedVersion


def read(
    model: LoadedVersion, folders: Mapping[str, str], item_ids: np.ndarray
) -> dict[str, ItemVectors]:
    """Returns the vectors of some items by modality, of every modality of the records.

    Args:
      model: says what it holds.
      folders: embedding set by modality; one that is not there is taken from inside the model.
      item_ids: `[N]` int64.

    Raises:
      UserInputError: a modality has neither, is not one of the records', or has another width.
    """
    widths = {one.name: one.dimension for one in model.schema.modalities}
    if unknown := sorted(set(folders) - set(widths)):
        raise UserInputError(
            f"--embeddings names {unknown}, but the model's records have {sorted(widths)}."
        )
    inside = model.holds_tables
    missing = [name for name in widths if name not in folders and name not in inside]
    if missing:
        raise UserInputError(
            f"The vectors of {missing} are needed and do not lie inside {model.folder!r}. Give "
            + " ".join(f"--embeddings {name}=DIR" for name in missing)
            + ", the sets that the join read."
        )
    found = {
        name: item_vectors.read_item_vectors(folders[name], item_ids)
        for name in widths
        if name in folders
    }
    for name, one in found.items():
        if one.vectors.shape[1] != widths[name]:
            raise UserInputError(
                f"{folders[name]!r} has vectors of {one.vectors.shape[1]} values, but the model "
                f"was trained with {widths[name]} for {name!r}. Give the set that the join read."
            )
    return found | tables(model, item_ids, [name for name in widths if name not in found])


def tables(
    model: LoadedVersion, item_ids: np.ndarray, modalities: list[str]
) -> dict[str, ItemVectors]:
    """Returns what lies inside the model; quantized vectors quantize to themselves.

    Args:
      model: holds the tables.
      item_ids: `[N]` int64.
      modalities: which of them.
    """
    if not modalities:
        return {}
    outputs = model.call(names.TARGET_AWARE_PROJECTIONS, {names.ITEM_IDS: item_ids})
    found = {}
    for name in modalities:
        known = outputs[names.norm(name)] > 0
        always = np.full(int(known.sum()), embedding_files.ALWAYS)
        vectors = outputs[names.quantized(name)][known]
        found[name] = item_vectors.of_items(item_ids[known], vectors, always)
    return found
