"""Independent random streams, so that one part of a simulation does not move another."""

import numpy as np

_STREAMS = ("items", "users", "requests", "label_events", "maps", "embeddings")


def generator(seed: int, stream: str, *position: int) -> np.random.Generator:
    """Returns the generator of a stream at a position.

    Args:
      seed: of the simulation.
      stream: what is drawn, one of a fixed list.
      position: for instance the number of a block; blocks can then be drawn in any order.

    Raises:
      ValueError: there is no such stream.
    """
    if stream not in _STREAMS:
        raise ValueError(f"stream must be one of {_STREAMS}, received {stream!r}.")
    entropy = (seed, _STREAMS.index(stream), *position)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))
