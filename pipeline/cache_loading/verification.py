"""What Redis holds, compared with the published rows."""

from typing import Any

import numpy as np

from features.errors import UserInputError
from pipeline.cache_loading.published_rows import Part, PublishedRows
from pipeline.cache_loading.redis_server import RedisServer
from serving_signatures.client.checksums import Checksums
from serving_signatures.client.redis_entries import LAYOUT, TAG

SAMPLE_ROWS = 256
"""Of each part, which are read back before a tag can be read."""

_KEYS_PER_CALL = 1000


def is_there(server: RedisServer, rows: PublishedRows, part: Part, rng: Any) -> bool:
    """Whether all keys of a part are there, and a sample of its values is as published."""
    keys = rows.keys_of(rows.read_ids(part))
    for begin in range(0, len(keys), _KEYS_PER_CALL):
        some = keys[begin : begin + _KEYS_PER_CALL]
        if server.client.exists(*some) != len(some):
            return False
    sample = rows.sample(part, rng, SAMPLE_ROWS)
    keys = rows.keys_of(sample)
    return not keys or server.client.mget(keys) == _strings(rows.values_of(sample, keys))


def compare(server: RedisServer, rows: PublishedRows) -> str:
    """Compares every row of a cache, its layout and its tag.

    Returns:
      What was compared, for a person.

    Raises:
      UserInputError: a row is missing or differs, or the tag cannot be read.
    """
    missing = differ = 0
    for part in rows.parts:
        table = rows.read(part)
        for begin in range(0, len(table), _KEYS_PER_CALL):
            some = table.slice(begin, _KEYS_PER_CALL)
            keys = rows.keys_of(some)
            found = server.client.mget(keys)
            for one, wanted in zip(found, _strings(rows.values_of(some, keys)), strict=True):
                missing += one is None
                differ += one is not None and one != wanted
    layout_key, tag_key = rows.keys.of_tag(rows.tag, LAYOUT), rows.keys.of_cache(TAG)
    layout, tag = (
        Checksums().opened(key, value)
        for key, value in zip(
            (layout_key, tag_key), server.client.mget(layout_key, tag_key), strict=True
        )
    )
    what = f"{rows.cache}: of {rows.items:,} rows of tag {rows.tag}"
    if missing or differ or layout != rows.layout.encoded:
        lost = "" if layout == rows.layout.encoded else ", and the tag's layout is not there"
        raise UserInputError(
            f"{what} {missing:,} are missing and {differ:,} differ{lost} in Redis at "
            f"{server.place}. Run the same command without --verify: it loads what is missing."
        )
    begins = "nothing" if tag is None else tag.decode(errors="replace")
    return f"{what} all are as published; new readers begin with {begins}."


def _strings(values: np.ndarray) -> list[bytes]:
    return [value.tobytes() for value in values]
