"""The width of the vectors of a set: the most frequent one."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.embeddings import vector_types
from features.embeddings.vector_rows import EMBEDDING, unreadable_vectors
from features.tables.reader import Unit
from features.tables.table import Table

_BATCH_ROWS = 1 << 10
_SAMPLED_SHARE = 0.02
_SAMPLED_UNITS = 64


def most_frequent(table: Table) -> int:
    """Returns the width M that most rows of a set have; 1 where no row has a vector.

    Types of fixed size say it. Of plain lists some are read, and all if these differ.
    """
    own_types = table.schema.columns[EMBEDDING].own_types
    widths: Counter[int] = Counter()
    plain = []
    for unit in table.units:
        width = vector_types.fixed_width(own_types[unit.path])
        if width is None:
            plain.append(unit)
        else:
            widths[width] += unit.place.rows
    sample = _sample(table, plain)
    if len(widths | sample) > 1:
        sample = _count(table, plain, 1)
    widths += sample
    return min(widths, key=lambda width: (-widths[width], width), default=1) or 1


def _sample(table: Table, units: Sequence[Unit]) -> "Counter[int]":
    """Counts widths of the first rows of some units, or of the next, until a row has a vector."""
    chosen = np.unique(np.linspace(0, max(len(units) - 1, 0), _SAMPLED_UNITS).astype(int)).tolist()
    counts = _count(table, [units[number] for number in chosen if units], _SAMPLED_SHARE)
    for unit in units:
        if counts:
            break
        counts = _count(table, [unit], 1)
    return counts


def _count(table: Table, units: Iterable[Unit], share: float) -> "Counter[int]":
    """Counts the widths of vectors in the first rows of units, in at least one batch of each."""
    counts: Counter[int] = Counter()
    for unit in units:
        left = share * unit.place.rows
        try:
            for batch, _ in table.reader.read(unit, [EMBEDDING], _BATCH_ROWS):
                lengths = pc.list_value_length(vector_types.as_lists(batch[EMBEDDING]))
                for one in pc.value_counts(lengths.drop_null()).to_pylist():
                    counts[one["values"]] += one["counts"]
                left -= batch.num_rows
                if left <= 0:
                    break
        except (pa.ArrowException, OSError) as error:
            raise unreadable_vectors(table.flag, unit, error) from error
    return counts
