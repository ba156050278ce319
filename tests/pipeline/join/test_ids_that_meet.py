"""The join says what kind its ids are, and stops where vectors meet none of its candidates."""

import logging

import pytest

from features.errors import UserInputError
from pipeline.join.job import build_examples
from tests import manifests
from tests.pipeline.join import logs
from tests.pipeline.join.joins import options
from tests.pipeline.join.three_days import Source, contents, random_days


def vectors(folder, items):
    return logs.write_embeddings(folder, logs.random_embeddings(0, items, 5, missing=0))


@pytest.mark.parametrize(("text", "kind"), [(True, "string"), (False, "integer")])
def test_the_manifest_says_the_kind_of_the_ids(tmp_path, text, kind):
    log = logs.write_log(tmp_path / "log", logs.random_rows(0, text=text))
    manifest = build_examples(options(log, tmp_path / "out"))
    assert manifest["schema"]["id_kinds"] == {
        "item": kind,
        "user": kind,
        "string_hash": "FarmHash Fingerprint64",
    }


@pytest.mark.parametrize("strategy", ["broadcast", "shuffle"])
def test_vectors_that_meet_no_candidate_stop_it_unless_told(tmp_path, caplog, strategy):
    rows = logs.random_rows(1)
    log = logs.write_log(tmp_path / "log", rows)
    others = vectors(tmp_path / "others", [f"ITEM-{number}" for number in range(12)])
    values = {"embeddings": {"text": others}, "embedding_strategy": strategy}
    with pytest.raises(UserInputError) as caught:
        build_examples(options(log, tmp_path / "out", **values))
    assert "--embeddings text: 0 of " in str(caught.value)
    assert "candidates are of an item with a vector (0.0%), less than" in str(caught.value)
    assert str(caught.value).endswith("--min_coverage 0 to do without. Nothing was published.")
    assert not (tmp_path / "out").exists()
    with caplog.at_level(logging.INFO, logger="absl"):
        manifest = build_examples(options(log, tmp_path / "out", min_coverage=0, **values))
    assert manifest["embedding_sets"]["text"]["coverage"] == 0
    assert "candidates are of an item with a vector (0.0%)." in caplog.text


def test_the_least_share_is_no_part_of_what_a_data_set_is(tmp_path):
    log = logs.write_log(tmp_path / "log", logs.random_rows(3))
    folder = vectors(tmp_path / "e", [f"item-{number}" for number in range(12)])
    first = build_examples(options(log, tmp_path / "out", embeddings={"text": folder}))
    again = options(log, tmp_path / "out", embeddings={"text": folder}, min_coverage=0.5)
    assert build_examples(again) == first
    assert "min_coverage" not in first["parameters"]


def test_a_part_whose_users_became_strings_is_refused(tmp_path):
    source = Source(tmp_path, random_days(0), False)
    source.join("d1")
    before = contents(tmp_path / "out")
    rows = [{**row, "user_id": str(row["user_id"])} for row in source.days["d2"]]
    log = logs.write_log(tmp_path / "strings", rows)
    with pytest.raises(UserInputError, match="the user ids were of kind 'integer', now 'string'"):
        source.join("d2", events=log)
    assert contents(tmp_path / "out") == before


def test_a_data_set_from_before_kinds_were_recorded_grows(tmp_path):
    source = Source(tmp_path, random_days(0), False)
    source.join("d1")
    for path in (tmp_path / "out" / "manifest.json", tmp_path / "out/part=d1/manifest.json"):
        manifests.change(path, lambda values: values["schema"].pop("id_kinds"))
        manifests.earlier(path)
    manifest = source.join("d2")
    assert manifest["parts"] == ["d1", "d2"]
    assert manifest["schema"]["id_kinds"]["item"] == "integer"


def test_side_features_of_other_items_stop_it_unless_told(tmp_path, caplog):
    log = logs.write_log(tmp_path / "log", logs.random_rows(4, events=300))
    names = {"items": "item", "others": "ITEM"}
    tables = {
        name: logs.write_log(
            tmp_path / name,
            [{"item_id": f"{prefix}-{number}", "brand": "x"} for number in range(6)],
            files=1,
        )
        for name, prefix in names.items()
    }
    with pytest.raises(UserInputError, match="--items: 0 of 12 items of the vocabulary have a row"):
        build_examples(options(log, tmp_path / "out", items=tables["others"]))
    assert not (tmp_path / "out").exists()
    build_examples(options(log, tmp_path / "told", items=tables["others"], min_coverage=0))
    with caplog.at_level(logging.INFO, logger="absl"):
        build_examples(options(log, tmp_path / "out", items=tables["items"]))
    assert "--items: 6 of 12 items of the vocabulary have a row (50.0%)." in caplog.text


def test_label_rows_of_request_ids_of_another_kind_are_refused(tmp_path):
    rows = logs.random_rows(5, request_ids=True)
    clicks = [{**row, "request_id": str(row["request_id"])} for row in rows if row["click"]]
    log = logs.write_log(tmp_path / "log", [{**row, "click": 0} for row in rows])
    values = {"labels": [], "behavior_rule": "all"}
    integers = {"bought": logs.write_log(tmp_path / "integers", [r for r in rows if r["click"]])}
    build_examples(options(log, tmp_path / "out", label_logs=integers, **values))
    strings = {"bought": logs.write_log(tmp_path / "strings", clicks)}
    with pytest.raises(UserInputError, match=r"Column 'request_id' is a string in .*strings"):
        build_examples(options(log, tmp_path / "other", label_logs=strings, **values))
    assert not (tmp_path / "other").exists()
