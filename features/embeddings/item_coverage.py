"""Whether embedding sets are of the items that need them: ids of one kind, and a share that met."""

from collections.abc import Mapping

import numpy as np

from features import id_kinds
from features.arrays import Integers
from features.embeddings.embedding_set import EmbeddingSet
from features.ids import coverage


def check(
    embeddings: Mapping[str, EmbeddingSet],
    item_ids: Integers | None,
    item_kind: id_kinds.Kind | None,
    whose: str,
    things: str,
    least: float,
) -> dict[str, float]:
    """Logs which share of some items has a vector, by modality, and refuses a share near zero.

    Args:
      embeddings: embedding set by modality.
      item_ids: `[N]` int64, ascending; None where they are not known.
      item_kind: what these ids are.
      whose: they are, such as `the model`.
      things: what is counted, such as `items of the vocabulary`.
      least: the least share, from 0 to 1.

    Returns:
      The share by modality, empty without items.

    Raises:
      UserInputError: a set has ids of another kind, or too few of the items.
    """
    shares = {}
    for name, one in embeddings.items():
        subject = f"--embeddings {name}"
        remedy = (
            "Write item_id as the log has it (CSV and pandas turn integers into strings), or give "
            "the set that the join read."
        )
        id_kinds.check(one.item_kind, subject, item_kind, whose, remedy)
        if item_ids is not None:
            found = int(np.sum(one.rows(item_ids) < len(one.item_ids)))
            shares[name] = coverage.check(
                subject, found, len(item_ids), f"{things} have a vector", least
            )
    return shares
