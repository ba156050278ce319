"""EB-NeRD: impressions of Ekstra Bladet with their candidates, timed histories, and the articles.

`train/`, `validation/` and optionally `test/` hold `behaviors.parquet` and `history.parquet`;
`articles.parquet` lies beside them. The given folder may hold the release itself or, as the
archives unpack, one release among others of its folders. Other Parquet files with `article_id` and
one list of floats, there or one folder below, become embedding sets named after their file.

An impression is a request, and each article in view a candidate. Times have no zone and are taken
as UTC. A history is of one split, ends before it, and has the time of each click; the join adds the
clicks of the log of that split.

What was not known at the request would leak the label and is left out: read times and scroll
depths of behaviors, and the articles' numbers of views, page views and seconds of reading. A test
split without clicks, as it was published, is left out.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.adapters import ebnerd_files
from pipeline.adapters.converter import Adapter, Sources, Tables, whole_requests
from pipeline.adapters.parquet_tables import null, null_element, write_embedding_set, write_table

_IMPRESSION, _USER, _TIME = "impression_id", "user_id", "impression_time"
_SHOWN, _CLICKED = "article_ids_inview", "article_ids_clicked"
_HISTORY, _HISTORY_TIME = "article_id_fixed", "impression_time_fixed"
_ITEM = ebnerd_files.ITEM

_ID, _TEXT, _MICROSECONDS = pa.int64(), pa.string(), pa.timestamp("us")
_FLAGS = ("is_sso_user", "is_subscriber")
# As strings, since 0 is a value of theirs and a missing integer would be 0 in the record.
_CODES = ("device_type", "gender", "postcode", "age")
_EVENTS = pa.schema(
    {
        "request_id": _TEXT,
        "user_id": _ID,
        "item_id": _ID,
        "timestamp": _ID,
        "click": pa.int8(),
        "split": _TEXT,
        **dict.fromkeys(_FLAGS, pa.bool_()),
        **dict.fromkeys(_CODES, _TEXT),
    }
)
_HISTORIES = pa.schema(
    {"user_id": _ID, "split": _TEXT, "item_id": pa.list_(_ID), "timestamp": pa.list_(_ID)}
)
_HISTORIES_PER_GROUP = 1 << 13
_ARTICLE = {
    "title": _TEXT,
    "subtitle": _TEXT,
    "category_str": _TEXT,
    "subcategory": pa.list_(_ID),
    "article_type": _TEXT,
    "premium": pa.bool_(),
    "topics": pa.list_(_TEXT),
    "sentiment_label": _TEXT,
}
_ITEMS = pa.schema({"item_id": _ID, **_ARTICLE})
_ITEM_FEATURES = (
    "category_str,subcategory:categorical:4,article_type,premium,topics:categorical:8,"
    "sentiment_label"
)


def _convert(sources: Sources, tables: Tables) -> list[str]:
    splits = [split for split in ebnerd_files.SPLITS if f"{split}_behaviors" in sources]
    for path in sources.get("test_behaviors", ()):
        if _CLICKED not in ebnerd_files.schema(path).names:
            splits.remove("test")
            tables.notes.append(
                f"{path} has no column {_CLICKED!r}, so it is left out: there is no test split. "
                "Evaluate with --split validation."
            )
    largest = 0

    def candidates(good: pa.RecordBatch, split: str) -> list[pa.Array]:
        nonlocal largest
        largest = max(largest, pc.max(pc.list_value_length(good[_SHOWN])).as_py() or 0)
        return _candidates(good, split)

    write_table(
        tables,
        "events",
        _EVENTS,
        [(split, path) for split in splits for path in sources[f"{split}_behaviors"]],
        {
            **dict.fromkeys((_IMPRESSION, _USER), _ID),
            _TIME: _MICROSECONDS,
            **dict.fromkeys((_SHOWN, _CLICKED), pa.list_(_ID)),
            **dict.fromkeys(_FLAGS, pa.bool_()),
            **dict.fromkeys(_CODES, _ID),
        },
        {
            **null(_IMPRESSION),
            **null(_USER),
            **null(_TIME),
            **null(_SHOWN),
            **null(_CLICKED),
            **null_element(_SHOWN),
            f"{_SHOWN} is empty": f"len({_SHOWN}) = 0",
            f"{_CLICKED} is not in {_SHOWN}": f"NOT list_has_all({_SHOWN}, {_CLICKED})",
        },
        candidates,
    )
    write_table(
        tables,
        "histories",
        _HISTORIES,
        [(split, path) for split in splits for path in sources[f"{split}_history"]],
        {_USER: _ID, _HISTORY: pa.list_(_ID), _HISTORY_TIME: pa.list_(_MICROSECONDS)},
        {
            **null(_USER),
            **null(_HISTORY),
            **null(_HISTORY_TIME),
            **null_element(_HISTORY),
            **null_element(_HISTORY_TIME),
            f"{_HISTORY} and {_HISTORY_TIME} differ in length": (
                f"len({_HISTORY}) <> len({_HISTORY_TIME})"
            ),
        },
        _oldest_first,
        _HISTORIES_PER_GROUP,
    )
    write_table(
        tables,
        "items",
        _ITEMS,
        [("", path) for path in sources["articles"]],
        {_ITEM: _ID, **_ARTICLE},
        null(_ITEM),
        lambda good, split: good.columns,
    )
    tables.notes.append("The times of EB-NeRD have no zone: they are taken as UTC.")
    return [
        f"--events={tables.path('events')}",
        "--timestamp_unit=us",
        "--labels=click",
        "--split_column=split",
        "--context=" + ",".join((*_FLAGS, *_CODES)),
        "--behavior_rule=click == 1",
        f"--histories={tables.path('histories')}",
        f"--items={tables.path('items')}",
        f"--item_features={_ITEM_FEATURES}",
        *whole_requests(largest),
        *_write_vectors(sources, tables),
    ]


def _candidates(good: pa.RecordBatch, split: str) -> list[pa.Array]:
    """Returns the articles in view of impressions as rows."""
    impression = pc.list_parent_indices(good[_SHOWN])
    item = pc.list_flatten(good[_SHOWN])
    clicked = pc.list_flatten(good[_CLICKED])
    # A candidate is clicked where its impression and article are among the clicks'.
    articles, code = np.unique(np.concatenate([item, clicked]), return_inverse=True)
    parents = np.concatenate([impression, pc.list_parent_indices(good[_CLICKED])])
    pair = parents.astype(np.int64) * len(articles) + code
    click = np.isin(pair[: len(item)], pair[len(item) :])
    request = pc.binary_join_element_wise(split, good[_IMPRESSION].cast(_TEXT), "-")
    return [
        request.take(impression),
        good[_USER].take(impression),
        item,
        good[_TIME].cast(_ID).take(impression),
        pa.array(click.astype(np.int8)),
        pa.repeat(split, len(item)),
        *(good[name].take(impression) for name in _FLAGS),
        *(good[name].cast(_TEXT).take(impression) for name in _CODES),
    ]


def _oldest_first(good: pa.RecordBatch, split: str) -> list[pa.Array]:
    """Returns histories, each sorted by time."""
    lengths = pc.list_value_length(good[_HISTORY]).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    time = pc.list_flatten(good[_HISTORY_TIME]).cast(_ID)
    order = np.lexsort((time, np.repeat(np.arange(len(lengths)), lengths)))
    lists = [
        pa.ListArray.from_arrays(pa.array(offsets), values.take(pa.array(order)))
        for values in (pc.list_flatten(good[_HISTORY]), time)
    ]
    return [good[_USER], pa.repeat(split, len(good)), *lists]


def _write_vectors(sources: Sources, tables: Tables) -> list[str]:
    """Writes the embedding sets and returns their flags."""
    flags = []
    for role, paths in sources.items():
        if not role.startswith("embeddings/"):
            continue
        name = role.removeprefix("embeddings/")
        column, width = ebnerd_files.vectors(paths[0])
        write_embedding_set(
            tables,
            role,
            paths,
            _ITEM,
            (column, pa.float32()),
            width,
            {"encoder": f"ebnerd-{name}", "version": "1"},
        )
        flags.append(f"--embeddings={name}={tables.path(role)}")
    for path in sources.get("passed_over", ()):
        tables.notes.append(
            f"{path} is passed over: it does not have {_ITEM!r} and one list of floats."
        )
    if not flags:
        tables.notes.append(
            "No vectors lie in the input. Put the published ones there, such as "
            "contrastive_vector.parquet, and convert anew; or make an embedding set of the titles "
            f"in {tables.path('items')}, as in 'Public data sets' of docs/join.md, and add "
            "--embeddings=titles=FILE to the command."
        )
    return flags


ADAPTER = Adapter("ebnerd", ebnerd_files.find_sources, _convert)
