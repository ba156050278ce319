"""Taobao-MM: samples, given histories, side features and int8 embeddings, all Parquet.

Each of the sources is a file `<name>.parquet` or a folder `<name>`, in the given folder or in
`raw/` below it. A column keeps its number in the output's names (`attribute_130_1`), since the
numbers are what the data set documents. There are no timestamps: the split is the file's, and
histories are given rather than built, from the log's clicks or otherwise.

A user can be in the training and in the test files, with another history and other attributes.
The ids stay; histories and users have a column `split`, and an event of a split takes the history
of its user in the same split. In `users` the rows of `train` come first.

Of the history the item ids are converted; their categories (`151_2_180`) follow from `items`.
"""

import functools
import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import UserInputError
from features.files import manifest
from pipeline.adapters import parquet_rows
from pipeline.adapters.conversion import Adapter, Sources, Tables, listing

_SPLITS = ("train", "test")
_LABEL, _USER, _ITEM, _HISTORY, _VECTOR = "label_0", "129_1", "205", "150_2_180", "205_c"
_EMBEDDINGS = "scl_embedding_int8_p90"
_ATTRIBUTES = ("130_1", "130_2", "130_3", "130_4", "130_5")
_ITEM_ATTRIBUTES = ("206", "213", "214")
_WIDTH = 128

_EVENTS = pa.schema(
    [
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("click", pa.int8()),
        ("split", pa.string()),
    ]
)
_HISTORIES = pa.schema(
    [("user_id", pa.int64()), ("split", pa.string()), ("item_id", pa.list_(pa.int64()))]
)
_USERS = pa.schema(
    [
        ("user_id", pa.int64()),
        ("split", pa.string()),
        *((f"attribute_{name}", pa.int64()) for name in _ATTRIBUTES),
    ]
)
_ITEMS = pa.schema(
    [
        ("item_id", pa.int64()),
        *((f"attribute_{name}", pa.int64()) for name in _ITEM_ATTRIBUTES),
    ]
)
_SET = pa.schema([("item_id", pa.int64()), ("embedding", pa.list_(pa.int8(), _WIDTH))])
# A thousand behaviors are 8 KB, so a group of histories is 64 MB.
_HISTORIES_A_GROUP = 1 << 13


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
        raise UserInputError(
            f"{folder!r} has no {name}.parquet, and no folder {name} that holds Parquet. It holds "
            f"{listing(folder)}. Give the folder that holds the files as they were published."
        )
    return ()


def _convert(sources: Sources, tables: Tables) -> list[str]:
    _convert_samples(sources, tables)
    _convert_users(sources, tables)
    flags = [
        f"--events={tables.path('events')}",
        "--labels=click",
        "--split_column=split",
        "--behavior_rule=none",
        f"--histories={tables.path('histories')}",
        f"--users={tables.path('users')}",
        "--user_features=" + ",".join(_USERS.names[2:]),
    ]
    if sources["item_features"]:
        _convert_items(sources["item_features"], tables)
        flags += [
            f"--items={tables.path('items')}",
            "--item_features=" + ",".join(_ITEMS.names[1:]),
        ]
    if sources[_EMBEDDINGS]:
        _convert_embeddings(sources[_EMBEDDINGS], tables)
        flags.append(f"--embeddings=scl={tables.path('embeddings/scl')}")
    return flags


def _convert_samples(sources: Sources, tables: Tables) -> None:
    columns = {_LABEL: pa.list_(pa.int8()), _USER: pa.int64(), _ITEM: pa.int64()}
    events = tables.open("events", _EVENTS)
    for split in _SPLITS:
        for path in sources[f"{split}_samples"]:
            for origin, batch in parquet_rows.read_batches(path, columns, tables.chunk_rows):
                reasons = parquet_rows.first_reasons(
                    batch.num_rows,
                    [
                        *_null_ids(batch, _USER, _ITEM),
                        (~_is_one_hot(batch), f"{_LABEL} is not [0, 1] or [1, 0]"),
                    ],
                )
                events.take_batch(
                    batch,
                    origin,
                    reasons,
                    functools.partial(_events, split),
                )
    tables.close("events")


def _convert_users(sources: Sources, tables: Tables) -> None:
    """Reads users and histories in one pass: the files are the largest of the data set."""
    columns = {_USER: pa.int64(), _HISTORY: pa.list_(pa.int64())}
    columns |= dict.fromkeys(_ATTRIBUTES, pa.int64())
    users = tables.open("users", _USERS)
    histories = tables.open("histories", _HISTORIES, _HISTORIES_A_GROUP)
    batch_rows = min(tables.chunk_rows, _HISTORIES_A_GROUP)
    for split in _SPLITS:
        for path in sources[f"{split}_user_features"]:
            for origin, batch in parquet_rows.read_batches(path, columns, batch_rows):
                no_user = _null_ids(batch, _USER)
                users.take_batch(
                    batch.select([_USER, *_ATTRIBUTES]),
                    origin,
                    parquet_rows.first_reasons(batch.num_rows, no_user),
                    functools.partial(_users, split),
                )
                broken = [
                    (parquet_rows.is_null(batch, _HISTORY), f"{_HISTORY} is null"),
                    (parquet_rows.holds_null(batch, _HISTORY), f"{_HISTORY} holds a null"),
                ]
                histories.take_batch(
                    batch.select([_USER, _HISTORY]),
                    origin,
                    parquet_rows.first_reasons(batch.num_rows, [*no_user, *broken]),
                    functools.partial(_histories, split),
                )
    tables.close("users")
    tables.close("histories")


def _convert_items(paths: tuple[str, ...], tables: Tables) -> None:
    columns = dict.fromkeys((_ITEM, *_ITEM_ATTRIBUTES), pa.int64())
    items = tables.open("items", _ITEMS)
    for path in paths:
        for origin, batch in parquet_rows.read_batches(path, columns, tables.chunk_rows):
            reasons = parquet_rows.first_reasons(batch.num_rows, _null_ids(batch, _ITEM))
            items.take_batch(batch, origin, reasons, lambda good: good.columns)
    tables.close("items")


def _convert_embeddings(paths: tuple[str, ...], tables: Tables) -> None:
    columns = {_ITEM: pa.int64(), _VECTOR: pa.list_(pa.int8())}
    vectors = tables.open("embeddings/scl", _SET)
    for path in paths:
        for origin, batch in parquet_rows.read_batches(path, columns, tables.chunk_rows):
            lengths = parquet_rows.list_lengths(batch, _VECTOR)
            checks = [
                *_null_ids(batch, _ITEM),
                (lengths < 0, f"{_VECTOR} is null"),
                (lengths != _WIDTH, f"{_VECTOR} does not have {_WIDTH} values"),
                (parquet_rows.holds_null(batch, _VECTOR), f"{_VECTOR} holds a null"),
            ]
            vectors.take_batch(
                batch,
                origin,
                parquet_rows.first_reasons(batch.num_rows, checks),
                lambda good: [good[_ITEM], good[_VECTOR].cast(_SET.field("embedding").type)],
            )
    done = tables.close("embeddings/scl")
    manifest.write_manifest(
        os.path.dirname(done.paths[0]),
        {
            "encoder": "taobao-mm-scl",
            "version": "int8_p90",
            "dimension": _WIDTH,
            "count": done.written,
            "sha256": {os.path.basename(path): manifest.file_sha256(path) for path in done.paths},
        },
    )


def _events(split: str, good: pa.RecordBatch) -> list[pa.Array]:
    click = pc.list_element(good[_LABEL], 1)
    return [good[_USER], good[_ITEM], click, _repeated(split, good)]


def _users(split: str, good: pa.RecordBatch) -> list[pa.Array]:
    return [good[_USER], _repeated(split, good), *(good[name] for name in _ATTRIBUTES)]


def _histories(split: str, good: pa.RecordBatch) -> list[pa.Array]:
    return [good[_USER], _repeated(split, good), good[_HISTORY]]


def _null_ids(batch: pa.RecordBatch, *names: str) -> list[tuple[np.ndarray, str]]:
    return [(parquet_rows.is_null(batch, name), f"{name} is null") for name in names]


def _is_one_hot(batch: pa.RecordBatch) -> np.ndarray:
    """Returns which labels are [0, 1] or [1, 0], `[N]` bool."""
    found = parquet_rows.list_lengths(batch, _LABEL) == 2
    pairs = pc.list_flatten(batch[_LABEL].filter(pa.array(found)))
    values = pairs.fill_null(-1).to_numpy(zero_copy_only=False).reshape(-1, 2)
    found[found] = np.isin(values, (0, 1)).all(axis=1) & (values.sum(axis=1) == 1)
    return found


def _repeated(split: str, batch: pa.RecordBatch) -> pa.Array:
    return pa.repeat(pa.scalar(split), batch.num_rows)


ADAPTER = Adapter("taobao_mm", _find_sources, _convert)
