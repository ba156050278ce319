"""The vectors of the items in question, and what the graph computes from them."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from features import in_graph
from features.embeddings import embedding_files, item_vectors
from features.embeddings.item_vectors import ItemVectors
from features.errors import UserInputError
from features.records.requests import Arrays
from features.schema import BEHAVIORS, CANDIDATES, ITEM_AXES, ItemAxis
from features.tables.options import DEFAULT, TableOptions
from features.tables.renames import check_renames_used
from serving_signatures import names
from serving_signatures.versions.loaded_version import LoadedVersion


@dataclasses.dataclass(frozen=True)
class Recomputed:
    """One modality of R requests, as the graph computes it; n is C or L.

    Attributes:
      vectors: float32 `[R, n, M]` by axis, as they came, zero where there is none or it came
        after the request.
      late: bool `[R, n]` by axis: the vector came after the request.
      quantized: `[R, C, M]` int8, of the candidates, late ones too.
      codes: `[R, C, L]` uint8, late ones too.
    """

    vectors: Mapping[ItemAxis, np.ndarray]
    late: Mapping[ItemAxis, np.ndarray]
    quantized: np.ndarray
    codes: np.ndarray

    @property
    def late_pairs(self) -> np.ndarray:
        """Which pairs have a vector that came after the request, `[R, C, L]` bool."""
        return self.late[CANDIDATES][:, :, None] | self.late[BEHAVIORS][:, None, :]


def read(
    model: LoadedVersion,
    locations: Mapping[str, str | Sequence[str]],
    item_ids: np.ndarray,
    options: TableOptions = DEFAULT,
) -> dict[str, ItemVectors]:
    """Returns the vectors of some items by modality, of every modality of the records.

    Args:
      model: whose tables are read.
      locations: embedding set by modality; one that is not there is taken from inside the model.
      item_ids: `[N]` int64.
      options: of the sets' tables.

    Raises:
      UserInputError: a modality has neither, is not one of the records', has another width, or
        ids of another kind.
    """
    widths = {one.name: one.dimension for one in model.schema.modalities}
    if unknown := sorted(set(locations) - set(widths)):
        raise UserInputError(
            f"--embeddings names {unknown}, but the model's records have {sorted(widths)}."
        )
    inside = model.holds_tables
    missing = [name for name in widths if name not in locations and name not in inside]
    if missing:
        raise UserInputError(
            f"The vectors of {missing} are needed and do not lie inside {model.folder!r}. Give "
            + " ".join(f"--embeddings {name}=DIR" for name in missing)
            + ", the sets that the join read."
        )
    opened = {
        name: embedding_files.open_files(locations[name], f"embeddings {name}", options)
        for name in widths
        if name in locations
    }
    check_renames_used(options, [files.table for files in opened.values()])
    for name, files in opened.items():
        if files.dimension != widths[name]:
            raise UserInputError(
                f"{files.table.location!r} has vectors of {files.dimension} values, but the model "
                f"was trained with {widths[name]} for {name!r}. Give the set that the join read."
            )
    item_kind = model.schema.id_kinds.item
    found = {
        name: item_vectors.read_item_vectors(files, item_ids, item_kind)
        for name, files in opened.items()
    }
    return found | tables(model, item_ids, [name for name in widths if name not in found])


def tables(
    model: LoadedVersion, item_ids: np.ndarray, modalities: list[str]
) -> dict[str, ItemVectors]:
    """Returns vectors of the tables inside the model; quantized vectors quantize to themselves.

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


def recompute(content: ItemVectors, batch: Arrays, timestamps: np.ndarray, name: str) -> Recomputed:
    """Looks vectors up by item id and computes what serving does, with the graph's own code.

    Args:
      content: vectors of the modality.
      batch: R requests; their item ids are read.
      timestamps: `[R]` microseconds, of the requests.
      name: of the modality.
    """
    vectors, late, sides = {}, {}, {}
    for axis in ITEM_AXES:
        rows = content.rows(batch[axis.item_id])
        late[axis] = content.available_at[rows] > timestamps[:, None]
        sides[axis] = in_graph.quantize(tf.constant(content.vectors[rows]), name)
        # The row past the last is zero: what a client sends of an item without a vector.
        vectors[axis] = content.vectors[np.where(late[axis], len(content.item_ids), rows)]
    codes = in_graph.codes(*sides[CANDIDATES], *sides[BEHAVIORS])
    return Recomputed(vectors, late, sides[CANDIDATES][0].numpy(), codes.numpy())


def quantized(content: ItemVectors, item_ids: np.ndarray, name: str) -> np.ndarray:
    """Returns items' quantized vectors, `[N]` int64 to `[N, M]` int8, zeros where there is none."""
    vectors = content.vectors[content.rows(item_ids)]
    return in_graph.quantize(tf.constant(vectors), name)[0].numpy()
