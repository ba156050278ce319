"""A tag changes with exactly what its cache depends on."""

import contextlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from serving_signatures import tags
from serving_signatures.signatures import ServingSignatures
from tests import synthetic
from tests.conftest import REPOSITORY
from tests.serving_signatures import serving


@pytest.fixture(scope="module")
def own_model():
    """Not the shared one: these tests change it, and change it back."""
    return serving.random_model(seed=5)


@pytest.fixture(scope="module", params=["tables", "vectors"])
def signatures(request, own_model, embeddings):
    return serving.traced(own_model, embeddings if request.param == "tables" else None)


def tags_now(signatures):
    """The tags that a new export of the same graph would have."""
    functions = {
        "id_tag": signatures.functions["id_projections"],
        "target_aware_tag": signatures.functions["target_aware_projections"],
    }
    return {name: tags.fingerprint(function) for name, function in functions.items()}


@contextlib.contextmanager
def changed(variable, row=0):
    """One value of a variable, changed by the smallest step."""
    before = np.asarray(variable.numpy())
    after = before.copy()
    place = (row,) + (0,) * (after.ndim - 1) if after.ndim else ()
    if after.dtype.kind == "f":
        after[place] = np.nextafter(after[place], np.float32(9))
    else:
        after[place] += 1
    variable.assign(after)
    yield
    variable.assign(before)


def changed_tags(signatures, variable, row=0):
    assert tags_now(signatures) == signatures.tags
    with changed(variable, row):
        now = tags_now(signatures)
    return {name for name, tag in now.items() if tag != signatures.tags[name]}


def test_tags_are_of_the_variables_and_stay_the_same(signatures, own_model):
    assert tags_now(signatures) == signatures.tags
    assert signatures.tags["id_tag"] != signatures.tags["target_aware_tag"]
    assert all(len(tag) == 16 for tag in signatures.tags.values())


@pytest.mark.parametrize(
    "name", ["table", "query_kernel", "query_bias", "key_kernel", "value_kernel"]
)
def test_what_id_projections_read_changes_the_id_tag_alone(signatures, own_model, name):
    variables = {v.name.split("/")[-1].removesuffix(":0"): v for v in own_model.attention.variables}
    variables["table"] = own_model.item_embedding.table
    assert changed_tags(signatures, variables[name]) == {"id_tag"}


@pytest.mark.parametrize("row", [0, 17, -1])
def test_one_row_of_the_id_table_changes_the_id_tag_alone(signatures, own_model, row):
    assert changed_tags(signatures, own_model.item_embedding.table, row) == {"id_tag"}


def test_of_the_item_prior_only_what_is_served_changes_the_id_tag(signatures, own_model):
    variables = {
        v.name.split("/")[-1].removesuffix(":0"): v for v in own_model.item_prior.variables
    }
    assert set(variables) == {"log_odds", "factor", "of_others"}
    for name in ("log_odds", "factor"):
        assert changed_tags(signatures, variables[name]) == {"id_tag"}
    assert changed_tags(signatures, variables["of_others"]) == set()


def test_the_vocabulary_changes_the_id_tag_alone(signatures, own_model):
    (vocabulary,) = (v for v in own_model.item_embedding.variables if v.dtype.is_integer)
    assert changed_tags(signatures, vocabulary, row=3) == {"id_tag"}


def test_the_top_mlp_changes_no_tag(signatures, own_model):
    kernels = [v for v in own_model.head.trainable_variables if v.shape.rank == 2]
    assert len(kernels) >= 2
    for kernel in kernels:
        assert changed_tags(signatures, kernel) == set()


def test_the_content_projection_changes_the_target_aware_tag_alone(signatures, own_model):
    for variable in own_model.content_projection.trainable_variables:
        assert changed_tags(signatures, variable) == {"target_aware_tag"}


def test_the_content_of_attention_is_of_the_sets_inside_or_of_the_ids(signatures, own_model):
    expected = {"target_aware_tag"} if signatures.tables else {"id_tag"}
    for variable in own_model.content_embedding.trainable_variables:
        assert changed_tags(signatures, variable) == expected
    for table in own_model.content_tables.values():
        own = set() if signatures.tables else {"id_tag"}
        assert changed_tags(signatures, table._quantized) == own


def test_everything_else_changes_no_tag(signatures, own_model):
    read = [own_model.item_embedding.table, *own_model.item_prior.trainable_variables]
    read += own_model.content_projection.trainable_variables
    read += own_model.content_embedding.trainable_variables
    cached = {"query_kernel", "query_bias", "key_kernel", "value_kernel"}
    rest = [
        variable
        for variable in own_model.trainable_variables
        if not any(variable is other for other in read)
        and variable.name.split("/")[-1].removesuffix(":0") not in cached
    ]
    assert len(rest) > 20
    with contextlib.ExitStack() as stack:
        for variable in rest:
            stack.enter_context(changed(variable))
        assert tags_now(signatures) == signatures.tags


def test_an_embedding_set_changes_the_target_aware_tag_alone(own_model, embeddings, signatures):
    if not signatures.tables:
        pytest.skip("the embedding sets are not in this model")
    for table in signatures.tables.values():
        for variable in (table._item_ids, table._starts, table._quantized, table._norms):
            before = variable.numpy()
            variable.assign_add((before * 0 + 1).astype(before.dtype))
            now = tags_now(signatures)
            variable.assign(before)
            assert now["target_aware_tag"] != signatures.tags["target_aware_tag"]
            assert now["id_tag"] == signatures.tags["id_tag"]


@pytest.mark.slow
def test_a_model_built_anew_has_the_same_tags_and_another_embedding_set_another(embeddings):
    first = serving.traced(serving.random_model(seed=5), embeddings).tags
    again = serving.traced(serving.random_model(seed=5), synthetic.embedding_sets()).tags
    assert again == first
    other = serving.traced(serving.random_model(seed=5), synthetic.embedding_sets(seed=1)).tags
    assert other["id_tag"] == first["id_tag"]
    assert other["target_aware_tag"] != first["target_aware_tag"]


@pytest.mark.slow
def test_a_trace_anew_and_a_fresh_process_give_the_same_tags(signatures, own_model, embeddings):
    inside = embeddings if signatures.tables else None
    assert ServingSignatures(own_model, inside).tags == signatures.tags
    code = (
        "import json\n"
        "from serving_signatures.signatures import ServingSignatures\n"
        "from tests import synthetic\n"
        "from tests.serving_signatures import serving\n"
        f"sets = {'synthetic.embedding_sets()' if signatures.tables else None}\n"
        "print(json.dumps(ServingSignatures(serving.random_model(seed=5), sets).tags))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == signatures.tags


def test_a_tensor_that_is_no_variable_counts_and_a_hash_table_is_refused():
    def tag(values):
        constant = tf.constant(values)
        function = tf.function(lambda x: x + tf.reduce_sum(constant), autograph=False)
        return tags.fingerprint(function.get_concrete_function(tf.TensorSpec([], tf.float32)))

    zeros = np.zeros(1000, np.float32)
    assert tag(zeros) == tag(zeros) != tag(zeros + np.float32(1e-9))
    pairs = tf.lookup.KeyValueTensorInitializer([1], [2.0], tf.int64, tf.float32)
    table = tf.lookup.StaticHashTable(pairs, 0.0)
    function = tf.function(table.lookup, autograph=False)
    with pytest.raises(ValueError, match="no tag can cover"):
        tags.fingerprint(function.get_concrete_function(tf.TensorSpec([None], tf.int64)))
