"""EB-NeRD: values, quarantine, files, vectors, and a join held to plain Python."""

import collections
import datetime
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.embeddings import embedding_set
from features.errors import UserInputError
from pipeline.adapters import ebnerd
from tests.pipeline.adapters import converted
from tests.pipeline.join import oracle

START = datetime.datetime(2023, 5, 18, 7)
BEHAVIORS = pa.schema(
    {
        "impression_id": pa.uint32(),
        "article_id": pa.int32(),
        "impression_time": pa.timestamp("us"),
        "read_time": pa.float32(),
        "scroll_percentage": pa.float32(),
        "device_type": pa.int8(),
        "article_ids_inview": pa.large_list(pa.int32()),
        "article_ids_clicked": pa.large_list(pa.int32()),
        "user_id": pa.uint32(),
        "is_sso_user": pa.bool_(),
        "gender": pa.int8(),
        "postcode": pa.int8(),
        "age": pa.int8(),
        "is_subscriber": pa.bool_(),
        "session_id": pa.uint32(),
        "next_read_time": pa.float32(),
    }
)
HISTORY = pa.schema(
    {
        "user_id": pa.uint32(),
        "impression_time_fixed": pa.large_list(pa.timestamp("us")),
        "scroll_percentage_fixed": pa.large_list(pa.float32()),
        "article_id_fixed": pa.large_list(pa.int32()),
        "read_time_fixed": pa.large_list(pa.float32()),
    }
)
ARTICLES = pa.schema(
    {
        "article_id": pa.int32(),
        "title": pa.large_string(),
        "subtitle": pa.large_string(),
        "body": pa.large_string(),
        "premium": pa.bool_(),
        "published_time": pa.timestamp("us"),
        "article_type": pa.large_string(),
        "topics": pa.large_list(pa.large_string()),
        "category": pa.int16(),
        "subcategory": pa.large_list(pa.int16()),
        "category_str": pa.large_string(),
        "total_inviews": pa.int32(),
        "sentiment_label": pa.large_string(),
    }
)


def at(minutes):
    return START + datetime.timedelta(minutes=minutes)


def impression(number, user, shown, clicked, minutes=0, **others):
    return {
        "impression_id": number,
        "impression_time": at(minutes),
        "device_type": 2,
        "article_ids_inview": shown,
        "article_ids_clicked": clicked,
        "user_id": user,
        "is_sso_user": False,
        "is_subscriber": True,
        "session_id": 1,
        **others,
    }


def history(user, count=2, items=None, minutes=None):
    """A history before the log, or as it is given."""
    items = list(range(count)) if items is None else items
    minutes = list(range(-len(items), 0)) if minutes is None else minutes
    return {
        "user_id": user,
        "impression_time_fixed": [at(one) for one in minutes],
        "article_id_fixed": items,
        "read_time_fixed": [1.0 for _ in items],
    }


def article(number):
    return {
        "article_id": number,
        "title": f"Title {number}",
        "premium": False,
        "published_time": START,
        "article_type": "article_default",
        "topics": ["Sport", "Fodbold"],
        "category": 142,
        "subcategory": [196, 271],
        "category_str": "sport",
        "total_inviews": 7,
        "sentiment_label": "Neutral",
    }


def write_rows(path, rows, schema, group=5):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=group)


def write(folder, train, validation=(), test=(), histories=None, vectors=None, articles=range(9)):
    for split, rows in (("train", train), ("validation", validation), ("test", test)):
        if rows:
            given = (histories or {}).get(split, [history(7)])
            write_rows(folder / split / "behaviors.parquet", rows, BEHAVIORS)
            write_rows(folder / split / "history.parquet", given, HISTORY)
    write_rows(folder / "articles.parquet", [article(one) for one in articles], ARTICLES)
    for name, rows in (vectors or {}).items():
        rows = [{"article_id": item, "document_vector": vector} for item, vector in rows]
        kinds = {"article_id": pa.int32(), "document_vector": pa.large_list(pa.float64())}
        write_rows(folder / name, rows, pa.schema(kinds))
    return folder


def test_values(tmp_path):
    train = [impression(5, 7, [3, 4, 2**31 - 1], [4], gender=0, age=50)]
    validation = [impression(5, 2**32 - 1, [3], [], minutes=1, device_type=None)]
    done = converted.convert(
        ebnerd, write(tmp_path / "in", train, validation), tmp_path / "out", max_bad_fraction=0.0
    )
    time = int(START.replace(tzinfo=datetime.UTC).timestamp()) * 1_000_000
    events = converted.rows(tmp_path / "out", "events")
    assert [tuple(row.values())[:6] for row in events] == [
        ("train-5", 7, 3, time, 0, "train"),
        ("train-5", 7, 4, time, 1, "train"),
        ("train-5", 7, 2**31 - 1, time, 0, "train"),
        ("validation-5", 2**32 - 1, 3, time + 60_000_000, 0, "validation"),
    ]
    context = {"is_sso_user": False, "is_subscriber": True, "device_type": "2", "gender": "0"}
    assert {**events[0], **context, "postcode": None, "age": "50"} == events[0]
    assert events[3]["device_type"] is None
    assert converted.rows(tmp_path / "out", "histories") == [
        {
            "user_id": 7,
            "split": split,
            "item_id": [0, 1],
            "timestamp": [time - 120_000_000, time - 60_000_000],
        }
        for split in ("train", "validation")
    ]
    assert converted.rows(tmp_path / "out", "items")[3] == {
        "item_id": 3,
        "title": "Title 3",
        "subtitle": None,
        "category_str": "sport",
        "subcategory": [196, 271],
        "article_type": "article_default",
        "premium": False,
        "topics": ["Sport", "Fodbold"],
        "sentiment_label": "Neutral",
    }
    assert done["counts"]["events"]["source_rows"] == 2
    assert any("No vectors lie in the input" in note for note in done["notes"])


def test_no_impression_is_cut(tmp_path):
    for largest, flag in ((128, False), (129, True)):
        rows = [impression(1, 7, list(range(largest)), []), impression(2, 7, [3], [])]
        done = converted.convert(ebnerd, write(tmp_path / f"{largest}", rows), tmp_path / f"{flag}")
        assert (f"--max_candidates={largest}" in done["join_command"]) == flag


def test_histories_become_oldest_first(tmp_path):
    mixed = history(7, items=[5, 6, 7, 8], minutes=[-5, -9, -5, -7])
    source = write(tmp_path / "in", [impression(1, 7, [3], [])], histories={"train": [mixed]})
    converted.convert(ebnerd, source, tmp_path / "out")
    (found,) = converted.rows(tmp_path / "out", "histories")
    assert found["item_id"] == [6, 8, 5, 7] and found["timestamp"] == sorted(found["timestamp"])


BAD_IMPRESSIONS = [
    (impression(None, 7, [3], []), "impression_id is null"),
    (impression(2, None, [3], []), "user_id is null"),
    ({**impression(2, 7, [3], []), "impression_time": None}, "impression_time is null"),
    (impression(2, 7, None, []), "article_ids_inview is null"),
    (impression(2, 7, [3], None), "article_ids_clicked is null"),
    (impression(2, 7, [3, None], []), "article_ids_inview holds a null"),
    (impression(2, 7, [], []), "article_ids_inview is empty"),
    (impression(2, 7, [3, 4], [3, 5]), "article_ids_clicked is not in article_ids_inview"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_IMPRESSIONS)
def test_broken_impressions_are_quarantined_alone(tmp_path, bad, reason):
    rows = [impression(1, 7, [3, 4], [3]), bad, impression(3, 7, [5], [])]
    converted.convert(ebnerd, write(tmp_path / "in", rows), tmp_path / "out")
    place = ("train/behaviors.parquet", 1, reason)
    assert converted.reasons(tmp_path / "out", "events") == [place]
    requests = [row["request_id"] for row in converted.rows(tmp_path / "out", "events")]
    assert requests == ["train-1", "train-1", "train-3"]


def test_broken_histories_are_quarantined(tmp_path):
    rows = [history(7), history(None), history(8, items=[1], minutes=[-2, -1])]
    rows += [{**history(9), "article_id_fixed": None}, history(9, items=[1, None])]
    source = write(tmp_path / "in", [impression(1, 7, [3], [])], histories={"train": rows})
    converted.convert(ebnerd, source, tmp_path / "out")
    assert [
        (row, reason) for _, row, reason in converted.reasons(tmp_path / "out", "histories")
    ] == [
        (1, "user_id is null"),
        (2, "article_id_fixed and impression_time_fixed differ in length"),
        (3, "article_id_fixed is null"),
        (4, "article_id_fixed holds a null"),
    ]


def test_a_test_split_without_clicks_is_left_out_and_said(tmp_path):
    source = write(tmp_path / "in", [impression(1, 7, [3], [])])
    names = [name for name in BEHAVIORS.names if name != "article_ids_clicked"]
    table = pa.Table.from_pylist([impression(9, 8, [3], [])], BEHAVIORS).select(names)
    write_rows(source / "test" / "history.parquet", [history(8)], HISTORY)
    pq.write_table(table, source / "test" / "behaviors.parquet")
    done = converted.convert(ebnerd, source, tmp_path / "out", max_bad_fraction=0.0)
    for name in ("events", "histories"):
        assert {row["split"] for row in converted.rows(tmp_path / "out", name)} == {"train"}
    assert any("test/behaviors.parquet has no column" in note for note in done["notes"])


@pytest.mark.parametrize(
    ("name", "column", "kind", "message"),
    [
        ("impression_time", None, None, "has no column 'impression_time', expected timestamp"),
        ("impression_time", 5, pa.int64(), "'impression_time' is int64, expected timestamp"),
        ("article_ids_inview", "[3]", pa.string(), "'article_ids_inview' is string, expected list"),
        ("user_id", 1.5, pa.float64(), "'user_id' is double, expected int64"),
    ],
)
def test_columns_of_other_types_are_refused(tmp_path, name, column, kind, message):
    source = write(tmp_path / "in", [impression(1, 7, [3], [])])
    path = source / "train" / "behaviors.parquet"
    table = pq.read_table(path).drop_columns([name])
    if kind is not None:
        table = table.append_column(name, pa.array([column], kind))
    pq.write_table(table, path)
    with pytest.raises(UserInputError, match=rf"behaviors\.parquet'.*{message}"):
        converted.convert(ebnerd, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_times_in_nanoseconds_and_with_a_zone(tmp_path):
    source = write(tmp_path / "in", [impression(1, 7, [3], [])])
    converted.convert(ebnerd, source, tmp_path / "plain")
    path = source / "train" / "behaviors.parquet"
    expected = converted.rows(tmp_path / "plain", "events")
    for number, kind in enumerate([pa.timestamp("ns"), pa.timestamp("us", "UTC")]):
        table = pq.read_table(path)
        place = table.schema.get_field_index("impression_time")
        column = table["impression_time"].cast(kind)
        pq.write_table(table.set_column(place, "impression_time", column), path)
        converted.convert(ebnerd, source, tmp_path / f"{number}")
        assert converted.rows(tmp_path / f"{number}", "events") == expected


def test_vectors_are_embedding_sets(tmp_path):
    good = [(item, [item + 0.5, 1.0, -2.0]) for item in range(6)]
    bad = [(7, [1.0]), (8, None), (9, [1.0, None, 2.0])]
    vectors = {"Document-Vector.parquet": good + bad, "Images/image_embeddings.parquet": good[2:4]}
    source = write(tmp_path / "in", [impression(1, 7, [3], [])], vectors=vectors)
    write_rows(source / "notes.parquet", [{"a": 1}], pa.schema({"a": pa.int64()}))
    done = converted.convert(ebnerd, source, tmp_path / "out")
    found = embedding_set.read_embedding_set(str(tmp_path / "out/embeddings/document_vector"))
    items, values = zip(*good, strict=True)
    expected = embedding_set.from_vectors(np.array(items), np.array(values, np.float32))
    assert found.fingerprint == expected.fingerprint and not found.rejected
    assert converted.reasons(tmp_path / "out", "embeddings/document_vector") == [
        ("Document-Vector.parquet", 6, "document_vector does not have 3 values"),
        ("Document-Vector.parquet", 7, "document_vector is null"),
        ("Document-Vector.parquet", 8, "document_vector holds a null"),
    ]
    options, _ = converted.join(done)
    assert list(options.embeddings) == ["document_vector", "image_embeddings"]
    assert any("notes.parquet is passed over" in note for note in done["notes"])


def test_values_of_other_types_are_the_same_rows(tmp_path):
    # As another program writes the files again: wider, encoded, or null throughout.
    rows = [impression(1, 7, [3, 4], [3])]
    source = write(tmp_path / "in", rows)
    converted.convert(ebnerd, source, tmp_path / "expected")
    path = source / "train" / "behaviors.parquet"
    table = pq.read_table(path)
    for place, field in enumerate(table.schema):
        if pa.types.is_integer(field.type):
            column = table[field.name].combine_chunks().cast(pa.uint64()).dictionary_encode()
        elif pa.types.is_list(field.type):
            column = table[field.name].cast(pa.large_list(pa.int64()))
        elif pa.types.is_timestamp(field.type):
            column = table[field.name].cast(pa.timestamp("ns"))
        elif table[field.name].null_count == len(table):
            column = pa.nulls(len(table))
        else:
            continue
        table = table.set_column(place, field.name, column)
    pq.write_table(table, path)
    converted.convert(ebnerd, source, tmp_path / "out")
    for name in ("events", "histories", "items"):
        assert converted.rows(tmp_path / "out", name) == converted.rows(tmp_path / "expected", name)


def test_a_release_among_the_unpacked_archives(tmp_path):
    rows = [impression(1, 7, [3], [])]
    write(tmp_path / "in" / "ebnerd_small", rows)
    vectors = tmp_path / "in" / "Contrastive" / "contrastive_vector.parquet"
    kinds = {"article_id": pa.int32(), "contrastive_vector": pa.list_(pa.float32())}
    write_rows(vectors, [{"article_id": 1, "contrastive_vector": [1.0]}], pa.schema(kinds))
    done = converted.convert(ebnerd, tmp_path / "in", tmp_path / "out")
    assert "--embeddings=contrastive_vector=" in done["join_command"]
    write(tmp_path / "in" / "ebnerd_demo", rows)
    with pytest.raises(UserInputError, match="several releases: ebnerd_demo, ebnerd_small"):
        converted.convert(ebnerd, tmp_path / "in", tmp_path / "other")


def test_missing_files_are_named(tmp_path):
    source = write(tmp_path / "in", [impression(1, 7, [3], [])])
    (source / "train" / "history.parquet").unlink()
    with pytest.raises(UserInputError, match=r"train' has no history\.parquet"):
        converted.convert(ebnerd, source, tmp_path / "out")
    (source / "train" / "behaviors.parquet").unlink()
    with pytest.raises(UserInputError, match=r"has no train/behaviors\.parquet, and no folder"):
        converted.convert(ebnerd, source, tmp_path / "out")


def test_vectors_that_cannot_be(tmp_path):
    rows = [impression(1, 7, [3], [])]
    vectors = {"a/text.parquet": [(1, [1.0])], "b/text.parquet": [(1, [1.0])]}
    source = write(tmp_path / "in", rows, vectors=vectors)
    with pytest.raises(UserInputError, match=r"text\.parquet' would be one embedding set"):
        converted.convert(ebnerd, source, tmp_path / "out")
    source = write(tmp_path / "empty", rows, vectors={"text.parquet": [(1, None), (2, [])]})
    with pytest.raises(
        UserInputError, match=r"text\.parquet' holds no vector in 'document_vector'"
    ):
        converted.convert(ebnerd, source, tmp_path / "out")
    (source / "text.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UserInputError, match=r"text\.parquet' cannot be read"):
        converted.convert(ebnerd, source, tmp_path / "out")


def drawn():
    """Returns impressions and histories by split; the validation's histories hold train's time."""
    draw = random.Random(5)
    begins = {"train": 0, "validation": 20, "test": 40}
    rows, histories = {}, {}
    for split, begin in begins.items():
        histories[split] = []
        for user in range(5):
            minutes = sorted(
                draw.randrange(begin - 30, begin + 3) for _ in range(draw.randrange(6))
            )
            items = [draw.randrange(20) for _ in minutes]
            histories[split].append(history(user, items=items, minutes=minutes))
        rows[split] = []
        for number in range(30):
            shown = draw.sample(range(20), draw.randrange(1, 5))
            clicked = draw.sample(shown, draw.randrange(len(shown) + 1))
            minutes = begin + draw.randrange(20)
            rows[split].append(impression(number, draw.randrange(6), shown, clicked, minutes))
    return rows, histories


def expected_records(rows, histories):
    """Returns each impression as split, request, user, candidates, labels and history."""
    records = collections.Counter()
    for split, log in rows.items():
        given = {one["user_id"]: one for one in histories[split]}
        for row in log:
            now, user = row["impression_time"], row["user_id"]
            known = []
            if user in given:
                pairs = (
                    given[user][name] for name in ("impression_time_fixed", "article_id_fixed")
                )
                known = [(time, -1, item) for time, item in zip(*pairs, strict=True) if time < now]
            known += [
                (other["impression_time"], place, item)
                for place, other in enumerate(log)
                if other["user_id"] == user and other["impression_time"] < now
                for item in other["article_ids_inview"]
                if item in other["article_ids_clicked"]
            ]
            shown, clicked = row["article_ids_inview"], row["article_ids_clicked"]
            records[
                (
                    split,
                    oracle.int64(f"{split}-{row['impression_id']}"),
                    user,
                    tuple(shown),
                    tuple(float(item in clicked) for item in shown),
                    tuple(item for *_, item in sorted(known, key=lambda one: one[:2])),
                )
            ] += 1
    return records


def test_result_joins_as_plain_python_does(tmp_path):
    rows, histories = drawn()
    vectors = {"text.parquet": [(item, [1.0, item]) for item in range(15)]}
    source = write(tmp_path / "in", **rows, histories=histories, vectors=vectors)
    done = converted.convert(ebnerd, source, tmp_path / "out", max_bad_fraction=0.0)
    options, joined = converted.join(done)
    assert joined["counts"]["quarantined"] == {}
    found = converted.joined_requests(options, rows)
    assert found == expected_records(rows, histories)
    assert len(found) == 90
    features = {one["name"]: one["kind"] for one in joined["schema"]["context_features"]}
    assert features["gender"] == "categorical" and features["is_subscriber"] == "numeric"
