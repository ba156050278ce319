"""--weight_column: a float per candidate in the record, and nothing else is another."""

import collections
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from features.schema import CANDIDATE_SAMPLE_WEIGHT, ExampleSchema
from models.inputs.example_set import ExampleSet
from pipeline.join.job import build_examples
from tests import synthetic
from tests.pipeline.join import logs, oracle
from tests.pipeline.join.joins import add_up, options


def weight_of(item, moment):
    return (item * 7 + moment) % 11 / 4


def rows_with_weights(**values):
    rows = logs.random_rows(4, events=300, text=False, **values)
    return [{**row, "w": weight_of(row["item_id"], row["timestamp"])} for row in rows]


def records(output):
    return [one for shard in oracle.read_records(output).values() for one in shard]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return logs.write_log(tmp_path_factory.mktemp("log"), rows_with_weights())


@pytest.mark.parametrize("values", [{}, {"max_candidates": 2}, {"negatives": "uniform:2"}])
def test_each_candidate_has_the_weight_of_its_row(tmp_path, log, values):
    manifest = build_examples(options(log, tmp_path / "out", weight_column="w", **values))
    zeros, negatives = collections.Counter(), 0
    for name, shard in oracle.read_records(tmp_path / "out").items():
        for record in shard:
            weights = record[CANDIDATE_SAMPLE_WEIGHT]
            assert len(weights) == len(record["candidate_item_id"])
            moment = record["timestamp"][0] // 1_000_000
            expected = [weight_of(item, moment) for item in record["candidate_item_id"]]
            if "negatives" in values:
                # A drawn negative has the weight of its row, so each is of one of the request.
                negatives += sum(one != other for one, other in zip(weights, expected, strict=True))
                assert set(weights) <= {weight_of(item, moment) for item in range(12)}
            else:
                assert weights == expected
            zeros[name.split("-")[0]] += weights.count(0)
    assert (negatives > 0) == ("negatives" in values)
    for split, one in manifest["splits"].items():
        assert one["zero_weights"] == zeros[split]
    assert sum(zeros.values())
    assert manifest["schema"]["weighted"] is True


def test_records_are_otherwise_those_without(tmp_path, log):
    plain = build_examples(options(log, tmp_path / "plain"))
    build_examples(options(log, tmp_path / "weighted", weight_column="w"))
    assert "weighted" not in plain["schema"] and "weight_column" not in plain["parameters"]
    found = records(tmp_path / "weighted")
    for record in found:
        del record[CANDIDATE_SAMPLE_WEIGHT]
    assert found == records(tmp_path / "plain")


def test_a_schema_without_any_is_written_as_it_was_before_there_were_any():
    schema = synthetic.SCHEMA
    assert {"weighted", "positioned", "downsampling"}.isdisjoint(schema.to_dict())
    assert schema.fingerprint() == "ec8d375c858ea3cf"
    assert ExampleSchema.from_dict(schema.to_dict()) == schema
    downsampling = {"label": "click", "rate": 0.5}
    for changed in ({"weighted": True}, {"positioned": True}, {"downsampling": downsampling}):
        other = ExampleSchema.from_dict({**schema.to_dict(), **changed})
        assert other != schema and other.of_requests == schema
        assert ExampleSchema.from_dict(other.to_dict()) == other


BAD = {
    "w is null": None,
    "w is NaN or infinite": float("nan"),
    "w is negative": -0.5,
}


def test_bad_weights_go_to_quarantine_by_reason(tmp_path):
    rows = [{**row, "timestamp": 10 * n} for n, row in enumerate(rows_with_weights())]
    bad = [dict(rows[0], timestamp=5 + k, w=one) for k, one in enumerate(BAD.values())]
    bad += [dict(rows[0], timestamp=500 + k, w=one) for k, one in enumerate((1e39, -float("inf")))]
    log = logs.write_log(tmp_path / "log", rows + bad)
    manifest = build_examples(
        options(log, tmp_path / "out", weight_column="w", max_bad_fraction=0.1)
    )
    reasons = manifest["counts"]["quarantined"]
    assert reasons == {**dict.fromkeys(BAD, 1), "w is NaN or infinite": 3}
    assert add_up(manifest) == len(rows) + len(bad)
    lines = [
        json.loads(line)
        for path in (tmp_path / "out" / "quarantine").iterdir()
        for line in path.read_text().splitlines()
    ]
    assert collections.Counter(line["reason"] for line in lines) == reasons


@pytest.mark.parametrize(
    ("column", "kind"),
    [(np.arange(40, dtype=np.int16), pa.int16()), (np.arange(40) % 2 == 1, pa.bool_())],
)
def test_integers_and_booleans_are_weights(tmp_path, column, kind):
    table = pa.table(
        {
            "user_id": np.arange(40) % 3,
            "item_id": np.arange(40),
            "timestamp": np.arange(40),
            "click": np.arange(40) % 2,
            "w": pa.array(column, kind),
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    build_examples(options(tmp_path / "log.parquet", tmp_path / "out", weight_column="w"))
    for record in records(tmp_path / "out"):
        (item,) = record["candidate_item_id"]
        assert record[CANDIDATE_SAMPLE_WEIGHT] == [float(column[item])]


@pytest.mark.parametrize("column", ["weight", "user_id"])
def test_a_column_that_is_no_number_or_not_there_is_refused(tmp_path, column):
    log = logs.write_log(tmp_path / "log", logs.random_rows(0))
    with pytest.raises(UserInputError, match=rf"{column}.*a number, 0 or more \(--weight_column\)"):
        build_examples(options(log, tmp_path / "out", weight_column=column))


@pytest.mark.parametrize("values", [{"weight_column": "w"}, {"downsample_negatives": "click=0.5"}])
def test_an_items_column_of_that_name_is_refused_only_where_there_are_weights(
    tmp_path, log, values
):
    items = pa.table({"item_id": np.arange(12), "sample_weight": np.arange(12.0)})
    pq.write_table(items, tmp_path / "items.parquet")
    given = {"items": str(tmp_path / "items.parquet")}
    with pytest.raises(UserInputError, match="inputs of its own named 'sample_weight'"):
        build_examples(options(log, tmp_path / "out", **given, **values))
    manifest = build_examples(options(log, tmp_path / "out", **given))
    assert [one["name"] for one in manifest["schema"]["item_features"]] == ["sample_weight"]


def test_a_split_in_which_nothing_counts_is_refused_before_training(tmp_path, log):
    rows = [{**row, "w": 0.0} for row in rows_with_weights()]
    log = logs.write_log(tmp_path / "log", rows)
    build_examples(options(log, tmp_path / "out", weight_column="w"))
    examples = ExampleSet.open(str(tmp_path / "out"))
    with pytest.raises(UserInputError, match=r"weight of 0: there is nothing to learn.*--weight_c"):
        examples.check_label("click")
