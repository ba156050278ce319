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
from collections.abc import Callable, Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from features.files import manifest
from pipeline.adapters import parquet_rows
from pipeline.adapters.converter import Adapter, Sources, Tables, missing
from pipeline.adapters.table import Table

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
_SET = pa.schema({"item_id": _ID, "embedding": pa.list_(pa.int8(), _WIDTH)})
# A thousand behaviors are 8 KB, so a group of histories is 64 MB.
_HISTORIES_PER_GROUP = 1 << 13

Checks = Mapping[str, str]
"""Condition of a bad row as DuckDB's SQL, by reason."""


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
    _write(
        tables,
        "events",
        _EVENTS,
        _by_split(sources, "samples"),
        {_LABEL: pa.list_(pa.int8()), _USER: _ID, _ITEM: _ID},
        {
            **_null(_USER),
            **_null(_ITEM),
            f"{_LABEL} is not [0, 1] or [1, 0]": f"{_LABEL} NOT IN ([0, 1], [1, 0])",
        },
        lambda good, split: [good[_USER], good[_ITEM], pc.list_element(good[_LABEL], 1), split],
    )
    _write(
        tables,
        "users",
        _USERS,
        _by_split(sources, "user_features"),
        dict.fromkeys((_USER, *_ATTRIBUTES), _ID),
        _null(_USER),
        lambda good, split: [good[_USER], split, *(good[name] for name in _ATTRIBUTES)],
    )
    _write(
        tables,
        "histories",
        _HISTORIES,
        _by_split(sources, "user_features"),
        {_USER: _ID, _HISTORY: pa.list_(_ID)},
        {**_null(_USER), **_null(_HISTORY), **_null_element(_HISTORY)},
        lambda good, split: [good[_USER], split, good[_HISTORY]],
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
        _write(
            tables,
            "items",
            _ITEMS,
            [("", path) for path in items],
            dict.fromkeys((_ITEM, *_ITEM_ATTRIBUTES), _ID),
            _null(_ITEM),
            lambda good, split: good.columns,
        )
        flags += [
            f"--items={tables.path('items')}",
            "--item_features=" + ",".join(_ITEMS.names[1:]),
        ]
    if vectors := sources[_EMBEDDINGS]:
        _write_embeddings(tables, vectors)
        flags.append(f"--embeddings=scl={tables.path('embeddings/scl')}")
    return flags


def _write_embeddings(tables: Tables, paths: Sequence[str]) -> None:
    table = _write(
        tables,
        "embeddings/scl",
        _SET,
        [("", path) for path in paths],
        {_ITEM: _ID, _VECTOR: pa.list_(pa.int8())},
        {
            **_null(_ITEM),
            **_null(_VECTOR),
            f"{_VECTOR} does not have {_WIDTH} values": f'len("{_VECTOR}") <> {_WIDTH}',
            **_null_element(_VECTOR),
        },
        lambda good, split: [good[_ITEM], good[_VECTOR].cast(_SET.field("embedding").type)],
    )
    manifest.write_manifest(
        os.path.dirname(table.paths[0]),
        {
            "encoder": "taobao-mm-scl",
            "version": "int8_p90",
            "dimension": _WIDTH,
            "count": table.written,
            "sha256": {os.path.basename(path): manifest.file_sha256(path) for path in table.paths},
        },
    )


def _write(
    tables: Tables,
    name: str,
    schema: pa.Schema,
    files: Iterable[tuple[str, str]],
    columns: Mapping[str, pa.DataType],
    checks: Checks,
    convert: Callable[[pa.RecordBatch, pa.Array], list[pa.Array]],
    rows_per_group: int = 1 << 17,
) -> Table:
    """Writes a table.

    Args:
      tables: of the output.
      name: of the table.
      schema: of the table.
      files: split and path of each source.
      columns: to read of the sources, with their types.
      checks: a row is quarantined with the first reason whose condition holds.
      convert: returns the table's columns from good rows and their split, `[N]`.
      rows_per_group: of the table.
    """
    table = tables.open(name, schema, rows_per_group)
    batch_rows = min(tables.chunk_rows, rows_per_group)
    for split, path in files:

        def output(good: pa.RecordBatch, split: str = split) -> list[pa.Array]:
            return convert(good, pa.repeat(split, good.num_rows))

        for origin, batch in parquet_rows.read_batches(path, columns, batch_rows):
            table.take_batch(batch, origin, parquet_rows.first_reasons(batch, checks), output)
    return tables.close(name)


def _by_split(sources: Sources, kind: str) -> list[tuple[str, str]]:
    return [(split, path) for split in _SPLITS for path in sources[f"{split}_{kind}"]]


def _null(name: str) -> Checks:
    return {f"{name} is null": f'"{name}" IS NULL'}


def _null_element(name: str) -> Checks:
    return {f"{name} holds a null": f'list_count("{name}") < len("{name}")'}


ADAPTER = Adapter("taobao_mm", _find_sources, _convert)
