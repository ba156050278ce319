"""A tag changes with exactly what its cache depends on."""

import contextlib

import numpy as np
import pytest

from serving_signatures import tags
from serving_signatures.signatures import ServingSignatures
from tests import synthetic
from tests.serving_signatures import serving


@pytest.fixture(scope="module")
def own_model():
    """Not the shared one: these tests change it, and change it back."""
    return serving.random_model(seed=5)


@pytest.fixture(scope="module", params=["tables", "vectors"])
def signatures(request, own_model, embeddings):
    return ServingSignatures(own_model, embeddings if request.param == "tables" else None)


def tags_now(signatures):
    """The tags that a new export of the same graph would have."""
    functions = {
        "id_tag": signatures.functions["id_projections"],
        "target_aware_tag": signatures.functions["target_aware_projections"],
    }
    return {name: tags.fingerprint(function) for name, function in functions.items()}


@contextlib.contextmanager
def changed(variable):
    """One value of a variable, changed by the smallest step."""
    before = variable.numpy()
    after = before.copy()
    after[(0,) * after.ndim] = np.nextafter(after[(0,) * after.ndim], np.float32(9))
    variable.assign(after)
    yield
    variable.assign(before)


def changed_tags(signatures, variable):
    assert tags_now(signatures) == signatures.tags
    with changed(variable):
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


def test_the_content_projection_changes_the_target_aware_tag_alone(signatures, own_model):
    for variable in own_model.content_projection.trainable_variables:
        assert changed_tags(signatures, variable) == {"target_aware_tag"}


def test_everything_else_changes_no_tag(signatures, own_model):
    read = [own_model.item_embedding.table, *own_model.content_projection.trainable_variables]
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
    first = ServingSignatures(serving.random_model(seed=5), embeddings).tags
    again = ServingSignatures(serving.random_model(seed=5), synthetic.embedding_sets()).tags
    assert again == first
    other = ServingSignatures(serving.random_model(seed=5), synthetic.embedding_sets(seed=1)).tags
    assert other["id_tag"] == first["id_tag"]
    assert other["target_aware_tag"] != first["target_aware_tag"]
