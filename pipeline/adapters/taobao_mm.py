"""Taobao-MM: samples, given histories, side features and int8 embeddings, all Parquet.

Each source is a file `<name>.parquet` or a folder `<name>`, in the given folder or in `raw/` below
it. A column keeps its number in the output's names (`attribute_130_1`), since the data set
documents the numbers. There are no timestamps: the split is the file's, and histories are given
rather than built from the log.

A user can be in the training and in the test files, with another history and other attributes.
Histories and users have a column `split`, and an event takes the history of its user in the same
split. In `users` the rows of `train` come first.

Of a history the item ids are converted; their categories (`151_2_180`) follow from `items`.
"""

import os

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.adapters.converter import Adapter, Sources, Tables, missing
from pipeline.adapters.parquet_tables import null, null_element, write_embedding_set, write_table

_SPLITS = ("train", "test")
_LABEL, _USER, _ITEM, _HISTORY, _VECTOR = "label_0", "129_1", "205", "150_2_180", "205_c"
_EMBEDDINGS = "scl_embedding_int8_p90"
_ATTRIBUTES = ("130_1", "130_2", "130_3", "130_4", "130_5")
_ITEM_ATTRIBUTES = ("206", "213", "214")
_WIDTH = 128

_ID = pa.int64()
_EVENTS = pa.schema({"user_id": _ID, "item_id": _ID, "click": pa.int8(), "split": pa.string()})
_HISTORIES = pa.schema({"user_id": _ID, "split": pa.string(), "item_id": pa.list_(_ID)})
_USERS = pa.schema(
    {"user_id": _ID, "split": pa.string(), **{f"attribute_{name}": _ID for name in _ATTRIBUTES}}
)
_ITEMS = pa.schema({"item_id": _ID, **{f"attribute_{name}": _ID for name in _ITEM_ATTRIBUTES}})
# A thousand behaviors are 8 KB, so a group of histories is 64 MB.
_HISTORIES_PER_GROUP = 1 << 13


def _find_sources(folder: str) -> Sources:
    sources = {}
    for split in _SPLITS:
        for kind in ("samples", "user_features"):
            sources[f"{split}_{kind}"] = _files(folder, f"{split}_{kind}", required=True)
    for name in ("item_features", _EMBEDDINGS):
        sources[name] = _files(folder, name, required=False)
    return sources


def _files(folder: str, name: str, required: bool) -> tuple[str, ...]:
    for parent in (folder, os.path.join(folder, "raw")):
        path = os.path.join(parent, name)
        if os.path.isfile(f"{path}.parquet"):
            return (f"{path}.parquet",)
        inside = sorted(os.listdir(path)) if os.path.isdir(path) else []
        if found := [one for one in inside if one.endswith(".parquet")]:
            return tuple(os.path.join(path, one) for one in found)
    if required:
        raise missing(folder, f"{name}.parquet, and no folder {name} that holds Parquet")
    return ()


def _convert(sources: Sources, tables: Tables) -> list[str]:
    write_table(
        tables,
        "events",
        _EVENTS,
        _by_split(sources, "samples"),
        {_LABEL: pa.list_(pa.int8()), _USER: _ID, _ITEM: _ID},
        {
            **null(_USER),
            **null(_ITEM),
            f"{_LABEL} is not [0, 1] or [1, 0]": f"{_LABEL} NOT IN ([0, 1], [1, 0])",
        },
        lambda good, split: [
            good[_USER],
            good[_ITEM],
            pc.list_element(good[_LABEL], 1),
            pa.repeat(split, len(good)),
        ],
    )
    write_table(
        tables,
        "users",
        _USERS,
        _by_split(sources, "user_features"),
        dict.fromkeys((_USER, *_ATTRIBUTES), _ID),
        null(_USER),
        lambda good, split: [
            good[_USER],
            pa.repeat(split, len(good)),
            *(good[name] for name in _ATTRIBUTES),
        ],
    )
    write_table(
        tables,
        "histories",
        _HISTORIES,
        _by_split(sources, "user_features"),
        {_USER: _ID, _HISTORY: pa.list_(_ID)},
        {**null(_USER), **null(_HISTORY), **null_element(_HISTORY)},
        lambda good, split: [good[_USER], pa.repeat(split, len(good)), good[_HISTORY]],
        _HISTORIES_PER_GROUP,
    )
    flags = [
        f"--events={tables.path('events')}",
        "--labels=click",
        "--split_column=split",
        "--behavior_rule=none",
        f"--histories={tables.path('histories')}",
        f"--users={tables.path('users')}",
        "--user_features=" + ",".join(_USERS.names[2:]),
    ]
    if items := sources["item_features"]:
        write_table(
            tables,
            "items",
            _ITEMS,
            [("", path) for path in items],
            dict.fromkeys((_ITEM, *_ITEM_ATTRIBUTES), _ID),
            null(_ITEM),
            lambda good, split: good.columns,
        )
        flags += [
            f"--items={tables.path('items')}",
            "--item_features=" + ",".join(_ITEMS.names[1:]),
        ]
    if vectors := sources[_EMBEDDINGS]:
        write_embedding_set(
            tables,
            "embeddings/scl",
            vectors,
            _ITEM,
            (_VECTOR, pa.int8()),
            _WIDTH,
            {"encoder": "taobao-mm-scl", "version": "int8_p90"},
        )
        flags.append(f"--embeddings=scl={tables.path('embeddings/scl')}")
    return flags


def _by_split(sources: Sources, kind: str) -> list[tuple[str, str]]:
    return [(split, path) for split in _SPLITS for path in sources[f"{split}_{kind}"]]


ADAPTER = Adapter("taobao_mm", _find_sources, _convert)
