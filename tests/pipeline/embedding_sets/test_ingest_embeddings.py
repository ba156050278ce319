"""Embedding sets that grow: validated, quantized, whole versions that every job reads."""

import json
import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.embeddings import embedding_set, similarity
from features.embeddings.embedding_files import ALWAYS, DUPLICATE
from features.embeddings.embedding_set import read_embedding_set
from features.errors import UserInputError
from features.tables.options import TableOptions
from pipeline.embedding_sets import embedding_versions
from pipeline.embedding_sets.delivery import EMPTY_ID, OLDER_ROW, ZERO
from pipeline.embedding_sets.ingestion import ingest
from pipeline.publishing import publication
from tests import manifests
from tests.pipeline.catalog_backfill.projection_data import contents

M = 8


def rows(ids, seed=0, times=None):
    """Rows of a delivery; vectors are random by seed."""
    drawn = np.random.default_rng(seed).standard_normal((len(ids), M)).astype(np.float32)
    found = [
        {"item_id": one, "embedding": row.tolist()} for one, row in zip(ids, drawn, strict=True)
    ]
    for row, time in zip(found, times or [], strict=False):
        row["available_at"] = time
    return found


def deliver(path, found, kind=None):
    """Writes rows as one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = kind or pa.int64()
    fields = [("item_id", kind), ("embedding", pa.list_(pa.float32()))]
    if any("available_at" in row for row in found):
        fields.append(("available_at", pa.int64()))
    pq.write_table(pa.Table.from_pylist(found, pa.schema(fields)), path, row_group_size=7)
    return str(path)


def take(tmp_path, found, kind=None, output="set", **more):
    name = f"delivery-{len(list(tmp_path.iterdir()))}.parquet"
    return ingest(
        deliver(tmp_path / name, found, kind), str(tmp_path / output), "encoder", "1", **more
    )


def state(folder):
    """What a reader sees: quantized vector and time by item."""
    found = read_embedding_set(str(folder))
    assert not found.rejected
    return {
        int(item): (vector.tolist(), int(time))
        for item, vector, time in zip(
            found.item_ids, found.quantized[:-1], found.available_at[:-1], strict=True
        )
    }


def quantized(row):
    return similarity.quantize(np.array(row["embedding"], np.float32))[0].tolist()


def expected(*found):
    return {row["item_id"]: (quantized(row), row.get("available_at", ALWAYS)) for row in found}


def test_a_version_reads_as_the_vectors_would_have(tmp_path):
    found = rows(range(-20, 30), times=[(k % 3) * 10**15 for k in range(50)])
    manifest = take(tmp_path, found)
    assert manifest["counts"] == {
        "read": 50,
        "new": 50,
        "changed": 0,
        "unchanged": 0,
        "older": 0,
        "kept": 0,
        "quarantined": {},
    }
    raw = np.array([row["embedding"] for row in found], np.float32)
    ids = np.array([row["item_id"] for row in found])
    times = np.array([row["available_at"] for row in found])
    wanted = embedding_set.from_vectors(ids, raw, times)
    received = read_embedding_set(str(tmp_path / "set"))
    assert received.fingerprint == wanted.fingerprint == manifest["fingerprint"]
    np.testing.assert_array_equal(received.norms, wanted.norms)
    assert (tmp_path / "set" / "CURRENT").read_text() == "1\n"
    direct = read_embedding_set(str(tmp_path / "set" / "versions" / "000001"))
    assert direct.fingerprint == wanted.fingerprint


def test_bad_rows_are_quarantined_with_reasons_and_the_counts_add_up(tmp_path):
    found = rows([f"item-{k}" for k in range(40)], times=[5] * 40)
    good = [dict(row) for row in found[10:]]
    found[0]["embedding"][3] = float("nan")
    found[1]["embedding"][0] = float("inf")
    found[2]["embedding"] = found[2]["embedding"][:-1]
    found[3]["embedding"] = None
    found[4]["item_id"] = None
    found[5]["item_id"] = ""
    found[6]["embedding"] = [0.0] * M
    found[7] = {**found[20], "available_at": 9}  # The newer of two: row 20 goes.
    found[8] = {**found[21], "embedding": [1.0] * M}  # As old: the first row, this one, counts.
    found[9] = {**found[22], "available_at": 4}  # The older.
    manifest = take(tmp_path, found, pa.string(), max_bad_fraction=0.3)
    counts = manifest["counts"]
    assert counts["quarantined"] == {
        "embedding holds NaN or infinity": 2,
        f"embedding does not have {M} values": 1,
        "embedding is null": 1,
        "item_id is null": 1,
        EMPTY_ID: 1,
        ZERO: 1,
        OLDER_ROW: 3,
    }
    assert counts["read"] == counts["new"] + sum(counts["quarantined"].values()) == 40
    path = tmp_path / "set" / "versions" / "000001" / "quarantine" / "vectors.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["row"] for line in lines] == [0, 1, 2, 3, 4, 5, 6, 9, 20, 21]
    assert {line["file"] for line in lines} == {"delivery-0.parquet"}
    table = pq.read_table(tmp_path / "set" / "versions" / "000001" / "part-00000.parquet")
    assert table.schema.field("item_id").type == pa.string()
    received = {
        row["item_id"]: (np.frombuffer(row["embedding"], np.int8).tolist(), row["available_at"])
        for row in table.to_pylist()
    }
    good[20 - 10]["available_at"] = 9
    good[21 - 10]["embedding"] = [1.0] * M
    assert received == expected(*good)
    assert DUPLICATE not in counts["quarantined"]


def test_the_newer_vector_wins_and_an_unchanged_one_keeps_its_time(tmp_path):
    first = rows(range(6), times=[100] * 6)
    take(tmp_path, first)
    again = rows([0, 1, 2, 3, 9], seed=1, times=[200, 50, 100, 300, 7])
    again[3]["embedding"] = first[3]["embedding"]  # The same vector: known since 100.
    manifest = take(tmp_path, again)
    assert manifest["counts"] == {
        "read": 5,
        "new": 1,
        "changed": 2,
        "unchanged": 1,
        "older": 1,
        "kept": 2,
        "quarantined": {},
    }
    assert state(tmp_path / "set") == expected(*first, again[0], again[2], again[4])
    # The version before is still whole.
    assert state(tmp_path / "set" / "versions" / "000001") == expected(*first)
    # Without a time, what comes later wins; with one from the flag, that is its time.
    take(tmp_path, rows([0], seed=3), available_at=70)
    assert state(tmp_path / "set")[0] == expected(*again)[0]
    last = rows([0], seed=3)
    take(tmp_path, last)
    assert state(tmp_path / "set")[0] == expected(*last)[0]


def test_a_delivery_that_changes_nothing_makes_no_version(tmp_path):
    found = rows(range(20))
    first = take(tmp_path, found)
    before = contents(tmp_path / "set")
    assert take(tmp_path, found[5:]) == first
    assert contents(tmp_path / "set") == before


def test_another_space_is_refused_unless_it_replaces_the_set(tmp_path):
    take(tmp_path, rows(range(20)))
    before = contents(tmp_path / "set")
    path = deliver(tmp_path / "other.parquet", rows(range(3), seed=2))
    with pytest.raises(UserInputError, match=r"\('encoder', '1', 8\).*\('encoder', '2', 8\)"):
        ingest(path, str(tmp_path / "set"), "encoder", "2")
    with pytest.raises(UserInputError, match="3 of 3 rows are bad"):
        take(tmp_path, [{**row, "embedding": row["embedding"][:5]} for row in rows(range(3))])
    with pytest.raises(UserInputError, match="so no id of one would be found"):
        take(tmp_path, rows(["a", "b"]), pa.string())
    after = contents(tmp_path / "set")
    rejected = {name for name in after if ".rejected/" in name}
    assert len(rejected) == 2, "the quarantine and the mark"
    assert {name: one for name, one in after.items() if name not in rejected} == before
    ingest(path, str(tmp_path / "set"), "encoder", "2", replace=True)
    assert state(tmp_path / "set") == expected(*rows(range(3), seed=2))


def test_the_manifest_says_the_kind_of_the_ids_and_a_set_from_before_has_its_columns(tmp_path):
    first = take(tmp_path, rows(["a", "b"]), pa.string())
    assert first["id_kinds"] == {"item": "string", "string_hash": "FarmHash Fingerprint64"}
    path = tmp_path / "set" / "versions" / "000001" / "manifest.json"
    manifests.earlier(path, without=["id_kinds"])
    assert read_embedding_set(str(tmp_path / "set")).item_kind == "string"
    with pytest.raises(UserInputError) as caught:
        take(tmp_path, rows([1, 2]))
    assert f"--output {str(tmp_path / 'set')!r} are strings (by FarmHash" in str(caught.value)
    assert "Write item_id as the set has it, or give another --output." in str(caught.value)
    second = take(tmp_path, rows(["c"], seed=1), pa.string())
    assert second["id_kinds"]["item"] == "string" and second["count"] == 3


def test_a_set_is_replaced_by_one_of_other_items_only_when_told(tmp_path, caplog):
    take(tmp_path, rows(range(200)))
    before = contents(tmp_path / "set")
    with pytest.raises(UserInputError, match=r"--vectors .* strings .* give --min_coverage 0 too"):
        take(tmp_path, rows([str(k) for k in range(200)]), pa.string(), replace=True)
    with pytest.raises(UserInputError, match="1 of 200 items of the version before have a vector"):
        take(tmp_path, rows(range(199, 400)), replace=True)
    kept = contents(tmp_path / "set")
    assert {name: one for name, one in kept.items() if ".rejected/" not in name} == before
    with caplog.at_level(logging.INFO, logger="absl"):
        take(tmp_path, rows(range(150, 350), seed=1), replace=True)
    assert "50 of 200 items of the version before have a vector in the new one" in caplog.text
    told = {"replace": True, "min_coverage": 0.0}
    third = take(tmp_path, rows(["a", "b"]), pa.string(), **told)
    assert third["count"] == 2 and third["id_kinds"]["item"] == "string"


@pytest.mark.guarantee("damaged", "ingest_embeddings")
def test_a_damaged_version_is_replaced_without_a_look_at_its_items(tmp_path, caplog):
    take(tmp_path, rows(range(20)))
    part = tmp_path / "set" / "versions" / "000001" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    take(tmp_path, rows(range(30, 50)), replace=True)
    assert "The version before cannot be compared, and is replaced" in caplog.text
    assert len(state(tmp_path / "set")) == 20


def test_integers_of_any_width_are_one_set(tmp_path):
    take(tmp_path, rows([1, 2, 3]), pa.int32())
    found = rows([3, 2**40, 2**64 - 1], seed=1)
    manifest = take(tmp_path, found, pa.uint64())
    assert manifest["counts"]["new"] == 2 and manifest["counts"]["changed"] == 1
    assert sorted(state(tmp_path / "set")) == [-1, 1, 2, 3, 2**40]
    table = pq.read_table(tmp_path / "set" / "versions" / "000002" / "part-00000.parquet")
    assert table["item_id"].to_pylist() == [-1, 1, 2, 3, 2**40]


def test_three_versions_are_kept(tmp_path):
    for number in range(5):
        take(tmp_path, rows([number]))
    folder = tmp_path / "set" / "versions"
    assert sorted(path.name for path in folder.iterdir()) == ["000003", "000004", "000005"]
    assert len(state(tmp_path / "set")) == 5


@pytest.mark.guarantee("foreign", "ingest_embeddings")
def test_folders_that_are_no_versions_stay(tmp_path):
    for name in ("notes", "12", "000001.old"):
        (tmp_path / "set" / "versions" / name).mkdir(parents=True)
    for number in range(3):
        take(tmp_path, rows([number]), keep=1)
    folder = tmp_path / "set" / "versions"
    assert sorted(path.name for path in folder.iterdir()) == ["000001.old", "000003", "12", "notes"]


def test_a_pointer_that_was_removed_loses_no_vector(tmp_path):
    for number, what in enumerate(["there is a first version", "such as 1, 2"]):
        take(tmp_path, rows([number]))
        (tmp_path / "set" / "CURRENT").unlink()
        for read in (lambda: take(tmp_path, rows([7])), lambda: state(tmp_path / "set")):
            with pytest.raises(UserInputError, match=r"CURRENT' is missing|no published version"):
                read()
        with pytest.raises(UserInputError, match=what):
            take(tmp_path, rows([8]))
        (tmp_path / "set" / "CURRENT").write_text(f"{number + 1}")
    assert sorted(state(tmp_path / "set")) == [0, 1]


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.mark.guarantee("killed", "ingest_embeddings")
def test_an_end_at_any_moment_leaves_the_version_before_and_a_rerun_finishes(tmp_path, monkeypatch):
    first, second = rows(range(20)), rows(range(10, 30), seed=1)
    second[3]["embedding"][0] = float("nan")
    take(tmp_path, first, output="whole")
    take(tmp_path, second, output="whole", max_bad_fraction=0.1)
    wanted = contents(tmp_path / "whole")
    path = deliver(tmp_path / "second.parquet", second)
    ends = [(publication.Publication, "complete"), (embedding_versions, "write")]
    ends += [(embedding_versions, "prune"), (embedding_versions.versions, "publish")]
    for number, (owner, name) in enumerate(ends):
        output = f"set-{number}"
        take(tmp_path, first, output=output)
        with monkeypatch.context() as patch:

            def end(*arguments, **named):
                raise KilledError

            patch.setattr(owner, name, end)
            with pytest.raises(KilledError):
                ingest(path, str(tmp_path / output), "encoder", "1", max_bad_fraction=0.1)
        known = state(tmp_path / output)
        assert len(known) == (30 if name == "prune" else 20)
        ingest(path, str(tmp_path / output), "encoder", "1", max_bad_fraction=0.1)
        assert state(tmp_path / output) == state(tmp_path / "whole")
        assert contents(tmp_path / output).keys() == wanted.keys()


def test_object_stores_hold_the_same_set(tmp_path, s3):
    bucket = s3.bucket()
    for number, seed in enumerate([0, 1, 2, 3]):
        path = deliver(tmp_path / f"{number}.parquet", rows(range(number, 20), seed))
        for output in (f"s3://{bucket}/set", str(tmp_path / "set")):
            ingest(path, output, "encoder", "1")
    assert state(f"s3://{bucket}/set") == state(tmp_path / "set")
    found = {name.removeprefix("set/"): one for name, one in s3.objects(bucket).items()}
    assert found == contents(tmp_path / "set")


@pytest.mark.parametrize(("unit", "size"), [("s", 1), ("ms", 10**3), ("ns", 10**9)])
def test_times_in_another_unit_are_refused_and_converted_by_a_flag(tmp_path, unit, size):
    seconds = 1_700_000_000
    found = rows(range(6), times=[seconds * size, None] * 3)
    with pytest.raises(UserInputError) as error:
        take(tmp_path, found)
    assert f"2023 in {unit}. Give --available_at_unit {unit}." in str(error.value)
    assert "delivery-0.parquet': column 'available_at'" in str(error.value)
    assert not (tmp_path / "set").exists()
    take(tmp_path, found, available_at_unit=unit)
    times = {item: time for item, (_, time) in state(tmp_path / "set").items()}
    assert times == {k: ALWAYS if k % 2 else seconds * 10**6 for k in range(6)}


def test_a_time_of_the_flag_in_another_unit(tmp_path):
    with pytest.raises(UserInputError, match=r"--available_at 1700000000: .* in s\. Give it in"):
        take(tmp_path, rows(range(6)), available_at=1_700_000_000)


def test_a_time_that_int64_cannot_hold(tmp_path):
    found = rows(range(6), times=[5 * 10**18] * 6)
    with pytest.raises(UserInputError, match=r"'available_at' \(int64\) holds a time that int64"):
        take(tmp_path, found, available_at_unit="s")


def test_a_delivery_with_its_own_names_in_csv_is_the_same_version(tmp_path):
    found = rows(range(20))
    wanted = take(tmp_path, found)
    folder = tmp_path / "csv" / "day=1"
    folder.mkdir(parents=True)
    lines = [f'{row["item_id"]};"{row["embedding"]}"' for row in found]
    (folder / "part.csv").write_text("\n".join(["sku;Vector", *lines, ""]))
    options = TableOptions(columns=("vectors.item_id=sku", "embedding=Vector"), delimiter=";")
    location, output = str(tmp_path / "csv"), str(tmp_path / "other")
    received = ingest([location], output, "encoder", "1", options=options)
    assert received["fingerprint"] == wanted["fingerprint"]
    assert received["sha256"] == wanted["sha256"]
    assert received["columns"] == {"vectors": {"item_id": "sku", "embedding": "Vector"}}
    assert list(received["delivery"]) == ["day=1/part.csv"]
    assert "columns" not in wanted
    options = TableOptions(columns=(*options.columns, "available_at=when"), delimiter=";")
    with pytest.raises(UserInputError, match=r"--column 'available_at=when'.* tables are vectors"):
        ingest(location, output, "encoder", "1", options=options)


NO_SET = "is no manifest of an embedding set"


@pytest.mark.parametrize(
    ("edit", "reading", "adding"),
    [
        (lambda values: values.clear(), NO_SET, NO_SET),
        (lambda values: values.update(dimension=True), NO_SET, NO_SET),
        (lambda values: values.pop("encoder"), None, "lacks encoder: it is no version"),
        (lambda values: values.update(id_kinds={"item": 3}), "manifest.json': id_kinds", None),
    ],
)
def test_a_version_whose_manifest_is_no_sets_is_refused(tmp_path, edit, reading, adding):
    take(tmp_path, rows(range(5)))
    manifests.change(tmp_path / "set/versions/000001/manifest.json", edit)
    if reading is not None:
        with pytest.raises(UserInputError, match=reading):
            state(tmp_path / "set")
    if adding is not None:
        with pytest.raises(UserInputError, match=adding):
            take(tmp_path, rows(range(9), seed=1))
    assert (tmp_path / "set" / "CURRENT").read_text() == "1\n"


@pytest.mark.guarantee("damaged", "ingest_embeddings")
def test_a_version_that_lost_its_manifest_is_refused(tmp_path):
    take(tmp_path, rows(range(5)))
    (tmp_path / "set/versions/000001/manifest.json").unlink()
    with pytest.raises(UserInputError, match=r"000001', .*has lost its manifest\.json"):
        state(tmp_path / "set")
    with pytest.raises(UserInputError, match=r"has no manifest\.json"):
        take(tmp_path, rows(range(9), seed=1))
