"""Embedding sets meet the items that need them, or are refused by name."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.embeddings import embedding_files, embedding_set, item_coverage
from features.errors import UserInputError
from features.ids import hashing

NAMES = np.array(["a", "b", "c"])


def read(folder, item_ids, item_kind=None, bare=False):
    vectors = np.eye(len(item_ids), dtype=np.float32)
    arguments = (str(folder), item_ids, vectors, "encoder", "1", item_kind)
    embedding_set.write_embedding_set(*arguments)
    if bare:
        (folder / "manifest.json").unlink()
    return embedding_set.read_embedding_set(str(folder))


def check(one, item_ids, kind, least=0.01):
    return item_coverage.check({"text": one}, item_ids, kind, "the model", "items", least)


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize(("ids", "kind"), [(NAMES, "string"), (np.arange(3), "integer")])
def test_a_set_is_of_the_kind_of_its_column(tmp_path, ids, kind, bare):
    found = read(tmp_path, ids, bare=bare)
    assert found.item_kind == kind
    other = {"string": "integer", "integer": "string"}[kind]
    assert check(found, found.item_ids, kind) == {"text": 1.0}
    with pytest.raises(UserInputError, match=r"--embeddings text: item ids are .* the model are"):
        check(found, None, other)


def test_a_set_of_hashes_says_what_they_were(tmp_path):
    found = read(tmp_path, hashing.fingerprint_strings(NAMES), "string")
    assert found.item_kind == "string"
    assert check(found, np.sort(hashing.fingerprint_strings(NAMES)), "string") == {"text": 1.0}


def test_where_the_kind_is_unknown_the_share_tells(tmp_path):
    found = read(tmp_path, NAMES)
    with pytest.raises(UserInputError, match=r"text: 0 of 3 items have a vector \(0.0%\)"):
        check(found, np.arange(3), None)
    assert check(found, np.arange(3), None, least=0) == {"text": 0.0}
    assert check(found, None, None) == {}


def test_the_share_is_of_the_items_that_need_vectors(tmp_path):
    found = read(tmp_path, np.arange(3))
    assert check(found, np.array([1, 2, 30, 40]), "integer", least=0.5) == {"text": 0.5}
    with pytest.raises(UserInputError, match=r"less than --min_coverage 0\.6"):
        check(found, np.array([1, 2, 30, 40]), "integer", least=0.6)


def test_files_of_two_kinds_are_no_set(tmp_path):
    for name, ids in (("a", ["1"]), ("b", [2])):
        table = pa.table({"item_id": ids, "embedding": [[1.0, 0.0]]})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    with pytest.raises(UserInputError, match=r"string in '.*a.parquet' and int64 in '.*b.parquet'"):
        embedding_files.open_files(str(tmp_path))
