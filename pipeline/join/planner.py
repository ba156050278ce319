"""The planner: the number of partitions and how vectors reach the workers, with reasons.

Neither choice changes a record. The number of partitions decides which shard a record is in, and so
is part of the data set; the strategy leaves no trace. Both follow from the inputs alone, never from
the machine.
"""

import dataclasses
from collections.abc import Mapping

from features.embeddings.embedding_files import EmbeddingFiles
from features.embeddings.vector_rows import VectorReader
from features.tables.reader import Unit
from pipeline.join.options import JoinOptions

_ROWS_OF_SMALL_LOGS = 25_000
"""Rows of a partition while the log is small."""
ENOUGH_PARTITIONS = 16
"""More are there for memory, not for cores."""
_ROWS_PER_PARTITION = 500_000
"""Rows of a partition of a large log: about 100 MiB at work."""
_BYTES_PER_PARTITION = 256 << 20
"""By an estimate that is about twice what records take, since few histories are full."""
_CANDIDATES_PER_REQUEST = 4
"""Assumed for the size of records. With one, a partition is up to twice as large."""
_MOST_PARTITIONS = 4096
_BYTES_PER_BEHAVIOR = 15
"""A hashed id, the time gap and the type, in a record."""
_BYTES_PER_VECTOR = 20
"""Id, norm and time of a quantized vector, besides its values."""
_BYTES_PER_BUCKET = 64 << 20
_MOST_BUCKETS = 1024
_MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class EmbeddingShuffle:
    """How vectors reach the partitions that need them, where no worker holds them all.

    Attributes:
      units: modality and unit, of every set.
      readers: of each modality's units.
      paths: each modality's files, in the order of their numbers.
      buckets: how many buckets items are spread over.
    """

    units: tuple[tuple[str, Unit], ...]
    readers: dict[str, VectorReader]
    paths: dict[str, tuple[str, ...]]
    buckets: int


@dataclasses.dataclass(frozen=True)
class Decision:
    """The choices of the planner.

    Attributes:
      partitions: how many partitions users are spread over.
      shuffle: None where every worker holds all vectors.
      reasons: one line per choice.
    """

    partitions: int
    shuffle: EmbeddingShuffle | None
    reasons: tuple[str, ...]


def decide(options: JoinOptions, events: int, embeddings: Mapping[str, EmbeddingFiles]) -> Decision:
    """Chooses by the measured sizes of the inputs, unless the options choose.

    Args:
      options: of the join.
      events: rows of the log and of the labels' own logs.
      embeddings: each modality's files.
    """
    widths = {name: one.dimension for name, one in embeddings.items()}
    partitions, why = _partitions(options, events, widths)
    reasons = [f"{partitions} partitions: {why}."]
    if not embeddings:
        return Decision(partitions, None, tuple(reasons))
    size = sum(one.rows * (one.dimension + _BYTES_PER_VECTOR) for one in embeddings.values())
    sets = ", ".join(f"{name} {one.rows:,} x {one.dimension}" for name, one in embeddings.items())
    limit = options.broadcast_limit_mib
    strategy, because = options.embedding_strategy, "set by --embedding_strategy"
    if strategy == "auto":
        fits = size <= limit * _MIB
        strategy = "broadcast" if fits else "shuffle"
        because = f"{'within' if fits else 'above'} --broadcast_limit_mib {limit:,}"
    effect = (
        "every worker maps all vectors"
        if strategy == "broadcast"
        else "each partition is sent the vectors of its items, once"
    )
    reasons.append(
        f"Embeddings ({sets}; {size / _MIB:,.1f} MiB quantized): {strategy}, {effect}; {because}."
    )
    shuffle = _shuffle(embeddings, size) if strategy == "shuffle" else None
    return Decision(partitions, shuffle, tuple(reasons))


def _partitions(options: JoinOptions, events: int, widths: Mapping[str, int]) -> tuple[int, str]:
    if options.partitions:
        return options.partitions, "set by --partitions"
    wanted = -(-events // _ROWS_OF_SMALL_LOGS)
    # What earlier parts left and given sequences are more rows per user, which nobody has counted.
    if options.part is None and not options.histories:
        size = events * _bytes_per_candidate(options, widths)
        large = max(-(-events // _ROWS_PER_PARTITION), -(-size // _BYTES_PER_PARTITION))
        wanted = min(wanted, max(large, ENOUGH_PARTITIONS))
    chosen = min(max(1, wanted), _MOST_PARTITIONS)
    return chosen, f"{events:,} rows, about {-(-events // chosen):,} each (--partitions to change)"


def _bytes_per_candidate(options: JoinOptions, widths: Mapping[str, int]) -> int:
    """Returns the bytes of a record per candidate, about, with a full history."""
    recorded = options.candidate_embeddings
    own = sum(width for name, width in widths.items() if recorded is None or name in recorded)
    behaviors = options.history_length * _BYTES_PER_BEHAVIOR // _CANDIDATES_PER_REQUEST
    return own + options.history_length * len(widths) + behaviors


def _shuffle(embeddings: Mapping[str, EmbeddingFiles], size: int) -> EmbeddingShuffle:
    units = ((name, unit) for name, one in embeddings.items() for unit in one.units)
    return EmbeddingShuffle(
        units=tuple(units),
        readers={name: one.reader for name, one in embeddings.items()},
        paths={name: one.paths for name, one in embeddings.items()},
        buckets=min(max(1, -(-size // _BYTES_PER_BUCKET)) * 2, _MOST_BUCKETS),
    )
