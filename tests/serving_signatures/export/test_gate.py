"""A model's export is verified on held-out requests, where their codes can be computed again."""

import dataclasses
import pathlib

import pytest

from features.embeddings import embedding_set
from features.errors import UserInputError
from features.id_kinds import IdKinds
from serving_signatures.export import gate
from tests import synthetic
from tests.serving_signatures import serving


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return synthetic.write_example_set(str(tmp_path_factory.mktemp("examples") / "set"))


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "cases"), [(0, 1), (5, 0)], ids=["the join's sets", "others"])
def test_held_out_requests_are_compared_if_the_model_holds_the_joins_sets(
    tmp_path, examples, model, seed, cases
):
    sets = synthetic.embedding_sets(seed=seed)
    exported = gate.export_model(model, str(tmp_path / "ctr"), examples, sets, (1,), requests=5)
    compared = {name.partition("/")[2] for name in exported.parity["differences"]}
    assert len(compared) == len(serving.SHAPES) + cases
    assert sum(name.startswith("004-5x") for name in compared) == cases
    assert exported.parity["max_abs_diff"] <= serving.TOLERANCE


@pytest.mark.guarantee("damaged", "export")
def test_held_out_requests_of_a_damaged_shard_are_refused(tmp_path, model):
    examples = synthetic.write_example_set(str(tmp_path / "set"))
    shard = pathlib.Path(examples.shards("test")[1])
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 8
    shard.write_bytes(data)
    with pytest.raises(UserInputError, match=r"test-00001.*is damaged"):
        gate.export_model(model, str(tmp_path / "ctr"), examples, synthetic.embedding_sets())
    assert not (tmp_path / "ctr").exists()


def of_kind(schema, kind):
    return dataclasses.replace(schema, id_kinds=IdKinds(item=kind))


def test_vectors_of_another_kind_of_id_or_of_other_items_are_refused(tmp_path, examples):
    model = serving.random_model(schema=of_kind(synthetic.SCHEMA, "integer"))
    sets = synthetic.embedding_sets()
    strings = {name: dataclasses.replace(one, item_kind="string") for name, one in sets.items()}
    with pytest.raises(UserInputError, match=r"--embeddings text: item ids are strings .* model"):
        gate.export_model(model, str(tmp_path / "ctr"), examples, strings)
    moved = {
        name: embedding_set.from_vectors(one.item_ids + 1, one.quantized[:-1])
        for name, one in sets.items()
    }
    with pytest.raises(UserInputError, match=r"0 of \d+ items of the vocabulary have a vector"):
        gate.export_model(model, str(tmp_path / "ctr"), None, moved)
    assert not (tmp_path / "ctr").exists()


@pytest.mark.parametrize("kind", ["integer", "string"])
def test_examples_of_another_kind_of_id_are_refused(tmp_path, examples, kind):
    other = {"integer": "string", "string": "integer"}[kind]
    model = serving.random_model(schema=of_kind(synthetic.SCHEMA, kind))
    joined = dataclasses.replace(examples, schema=of_kind(examples.schema, other))
    with pytest.raises(UserInputError, match=f"'{examples.folder}': item ids are {other}"):
        gate.export_model(model, str(tmp_path / "ctr"), joined, {})
    assert not (tmp_path / "ctr").exists()


def test_records_of_another_schema_are_refused(tmp_path, examples, model):
    schema = dataclasses.replace(examples.schema, labels=("liked",))
    other = dataclasses.replace(examples, schema=schema)
    with pytest.raises(UserInputError, match="schema"):
        gate.export_model(model, str(tmp_path / "ctr"), other, {})
    assert not (tmp_path / "ctr").exists()
