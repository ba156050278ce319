"""What a backfill reads and where it writes: wrong input, odd ids, other jobs, object stores."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from pipeline.catalog_backfill.backfill import backfill
from pipeline.publishing import publication
from serving_signatures.client.projection_cache import ProjectionCache
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import SMALL, TARGET, contents, published


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings": {}}, r"--embeddings are of \[\], but .* reads \['image', 'text'\]"),
        ({"saved_model": "."}, "has no assets.extra/manifest.json"),
        ({"items": "nowhere"}, "--items"),
        ({"beam_args": ["--no_such_flag=1"]}, "--no_such_flag"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_written(plain, data, tmp_path, change, message):
    arguments = {
        "saved_model": plain.folder,
        "items": data.items,
        "output": str(tmp_path / "out"),
        "embeddings": data.embeddings,
    }
    with pytest.raises(UserInputError, match=message):
        backfill(**{**arguments, **change})
    assert not (tmp_path / "out").exists()


def test_sets_that_are_not_the_models_are_refused(plain, tables, data, tmp_path):
    swapped = {"text": data.embeddings["image"], "image": data.embeddings["text"]}
    with pytest.raises(UserInputError, match="widths"):
        backfill(plain.folder, data.items, str(tmp_path / "out"), swapped)
    with pytest.raises(UserInputError, match="fingerprints"):
        backfill(tables.folder, data.items, str(tmp_path / "out"), data.embeddings)


def test_rows_without_an_id_and_repeated_ids_are_counted(plain, data, tmp_path):
    (tmp_path / "items").mkdir()
    for number, ids in enumerate([["a", None, "b"], ["", "b", "c", "a"]]):
        table = pa.table({"item_id": pa.array(ids).dictionary_encode()})
        pq.write_table(table, tmp_path / "items" / f"{number}.parquet")
    with pytest.raises(UserInputError, match="a string in"):
        backfill(plain.folder, str(tmp_path / "items"), str(tmp_path / "out"), data.embeddings)
    names = np.array(["a", "b"])
    folders = projection_data.write_embeddings(
        tmp_path, names, projection_data.vectors(np.array([1, 2]))
    )
    backfill(plain.folder, str(tmp_path / "items"), str(tmp_path / "out"), folders, min_coverage=0)
    values = published(tmp_path / "out", TARGET)
    assert values["items"] == 3
    assert values["catalog"] == {"rows": 7, "null": 1, "empty": 1, "duplicate": 2}


def test_another_backfill_of_the_same_output_is_refused(plain, data, filled):
    with publication.locked(str(filled)), pytest.raises(UserInputError, match="is being written"):
        backfill(plain.folder, data.items, str(filled), data.embeddings, **SMALL)


def test_object_stores_hold_the_same_bytes(plain, data, tmp_path, s3):
    bucket = s3.bucket()
    for items in (data.item_ids[:100], data.item_ids[:110]):
        path = projection_data.write_items(tmp_path / "items.parquet", items)
        for output in (f"s3://{bucket}/projections", str(tmp_path / "out")):
            backfill(plain.folder, path, output, data.embeddings, rows_per_part=60)
    expected = contents(tmp_path / "out")
    assert s3.objects(bucket) == {f"projections/{name}": one for name, one in expected.items()}
    known, _ = ProjectionCache.open(f"s3://{bucket}/projections", TARGET).lookup(items)
    assert known.all()
