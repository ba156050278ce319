"""What the name of a file says: is it data, and if not, why not.

The format is decided by a file's bytes, see `formats`; names only decide whether a file that lies
in a folder belongs to the table. A file that the user names is taken whatever it is called.
"""

import enum
import re
from collections.abc import Collection

SUFFIXES = ("parquet", "pq", "orc", "csv", "tsv", "jsonl", "ndjson", "json", "npy")
"""Of files that are data, besides those without a suffix."""

_ALIKE = {"pq": "parquet", "ndjson": "jsonl"}
_TABLE_SUFFIXES = frozenset(SUFFIXES) - {"json"}
_COMPRESSIONS = frozenset(
    ("br", "brotli", "bz2", "deflate", "gz", "gzip", "lz4", "snappy", "snz", "xz", "zip", "zst")
)
# Numbers, as in `events-2026.05.01`, and the `.c000` of Spark's writers.
_NO_SUFFIX = re.compile(r"c?\d[\d_-]*")
_DESCRIPTIONS = frozenset(("changelog", "current", "license", "makefile", "notice", "readme"))

HIDDEN = "name begins with . or _"
IN_HIDDEN_FOLDER = "in a folder that begins with . or _"
DESCRIPTION = "describes what lies beside it"
IDS = "ids of the .npy beside it"
DELTA_LOG = "log of a Delta table"
QUARANTINED = "quarantine of a finished job"
UNFINISHED = "output of an unfinished job"
UNKNOWN = "suffix of no table"
JSON_BESIDE = ".json beside files of another suffix"


class Kind(enum.Enum):
    """What a file's suffix says."""

    TABLE = enum.auto()
    JSON = enum.auto()  # Lines, or one document that describes the files beside it.
    NO_SUFFIX = enum.auto()
    UNKNOWN = enum.auto()


def suffix_of(base_name: str) -> str:
    """Returns a file's suffix, without that of a compression; empty if it has none.

    >>> [suffix_of(name) for name in ("a.CSV.gz", "x.pq", "000000_0", "log.2026-05-01", "a.avro")]
    ['csv', 'parquet', '', '', 'avro']
    """
    parts = base_name.lower().split(".")
    if len(parts) > 1 and parts[-1] in _COMPRESSIONS:
        parts.pop()
    suffix = parts[-1] if len(parts) > 1 else ""
    return "" if _NO_SUFFIX.fullmatch(suffix) else _ALIKE.get(suffix, suffix)


def kind_of(base_name: str) -> Kind:
    """Returns what a file's suffix says."""
    suffix = suffix_of(base_name)
    if suffix in _TABLE_SUFFIXES:
        return Kind.TABLE
    if suffix == "json":
        return Kind.JSON
    return Kind.UNKNOWN if suffix else Kind.NO_SUFFIX


def is_hidden(part: str) -> bool:
    """Whether a file or folder of this name is no data by convention.

    >>> is_hidden("_SUCCESS"), is_hidden("_date=2026-05-01")
    (True, False)
    """
    return part.startswith(".") or (part.startswith("_") and "=" not in part)


def no_data(name: str, names: Collection[str]) -> str | None:
    """Returns why a file is no data of the table, None if it may be.

    Args:
      name: below the location, with `/` between folders.
      names: of all files of the location; a set, as it is searched.
    """
    *folders, base = name.split("/")
    if "_delta_log" in folders:
        return DELTA_LOG
    if is_hidden(base):
        return HIDDEN
    for depth, folder in enumerate(folders):
        if is_hidden(folder):
            return IN_HIDDEN_FOLDER
        if folder.endswith((".building", ".rejected")):
            return UNFINISHED
        if folder == "quarantine" and "/".join([*folders[:depth], "manifest.json"]) in names:
            return QUARANTINED
    if base == "manifest.json" or base.lower() in _DESCRIPTIONS:
        return DESCRIPTION
    stem, separator, _ = base.rpartition(".ids.")
    if separator and "/".join([*folders, f"{stem}.npy"]) in names:
        return IDS
    return None
