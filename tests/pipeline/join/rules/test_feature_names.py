"""Names of the record's and the model's own are refused for columns of every kind, all at once."""

import dataclasses

import pytest

from features.errors import UserInputError
from features.records import example, running_statistics
from features.schema import candidate_feature, context_feature
from models import factory
from models.model_config import ModelConfig
from pipeline.join.rules.feature_names import FeatureNames
from serving_signatures import names
from serving_signatures.signatures import ServingSignatures
from tests import synthetic

MODALITIES = ("text", "image")


def message(**kinds):
    values = {"labels": ("click",), "modalities": MODALITIES, **kinds}
    with pytest.raises(UserInputError) as caught:
        FeatureNames(**values).check()
    return str(caught.value)


@pytest.mark.parametrize("with_sets", [False, True])
def test_every_name_of_records_and_signatures_is_known(with_sets):
    schema = dataclasses.replace(
        synthetic.SCHEMA,
        weighted=True,
        item_features=(
            *synthetic.SCHEMA.item_features,
            running_statistics.item_feature(("click",)),
        ),
        context_features=(
            *synthetic.SCHEMA.context_features,
            running_statistics.context_feature(("click",)),
        ),
    )
    model = factory.build_model(
        ModelConfig(name="dmf", embedding_width=4, head_width=4, hidden=(8,)),
        schema,
        synthetic.item_ids(),
    )
    sets = synthetic.embedding_sets() if with_sets else None
    functions = ServingSignatures(model, sets).functions
    found = {name for one in functions.values() for name in one.structured_outputs}
    found |= {name for one in functions.values() for name in one.structured_input_signature[1]}
    requests = synthetic.random_requests(schema, count=2)
    found |= set(example.parse_examples(schema, [example.encode_request(schema, requests[0])]))
    given = {*schema.labels, *map(candidate_feature, (one.name for one in schema.item_features))}
    given |= set(map(context_feature, (one.name for one in schema.context_features)))
    given -= {candidate_feature("running_statistics"), context_feature("running_statistics")}
    # Outputs of projections are names along an axis when `score_cached` takes them.
    whole = {names.EXAMPLES, names.ITEM_IDS, *names.of_items(schema.modality_names)}
    own = FeatureNames(
        schema.labels, schema.modality_names, has_statistics=True, has_weights=True
    ).own()
    assert found - given - whole <= own
    assert {"candidate_vector_text", "candidate_mask", "mask", "candidate_key"} <= own


OF_ITEMS = (
    *("mask", "value", "key", "query", "projection", "item_id", "id_embedding", "item_prior"),
    *("embedding_text", "quantized_text", "norm_image", "vector_text", "running_statistics"),
)
OF_RECORDS = (
    *("user_id", "timestamp", "request_id", "mask", "similarity_text", "history_type"),
    *("candidate_mask", "candidate_embedding_image", "history_key"),
)


@pytest.mark.parametrize("name", OF_ITEMS)
def test_item_columns_of_the_models_own_names_are_refused(name):
    text = message(items=("price", name, "brand"), has_statistics=True)
    assert text.startswith("--items") and repr(name) in text
    assert "--item_features=price,brand" in text
    reserved = text.partition("are: ")[2]
    assert {"mask", "value", "vector_image", name} <= set(reserved.strip(".").split(", "))


@pytest.mark.parametrize("name", OF_RECORDS)
def test_labels_of_the_records_own_names_are_refused(name):
    text = message(labels=("click", name))
    assert text.startswith("--labels") and repr(name) in text
    assert f"--column liked={name} --labels liked" in text
    assert name in text.partition("are: ")[2]


def test_all_columns_that_do_not_fit_are_named_at_once():
    text = message(items=("mask", "value"))
    assert "'mask', 'value'" in text and "--item_features=''" in text


def test_features_of_one_name_are_refused_whatever_gives_them():
    text = message(context=("age", "device"), users=("city", "age"))
    assert "--users has 'age' and --context as well" in text and "'context_age'" in text
    assert "--user_features=city" in text
    assert "--labels has 'click' twice" in message(labels=("click", "click"))
    assert "--items has 'price' twice" in message(items=("price", "price"))
    text = message(labels=("click", "candidate_price"), items=("price",))
    assert "--items has 'price' and --labels as well" in text
    text = message(context=("running_statistics",), has_statistics=True)
    assert text.startswith("--context") and "'running_statistics'" in text


def test_names_that_only_look_alike_are_free():
    FeatureNames(
        labels=("click", "item_id", "price"),
        modalities=("text",),
        items=("price", "click", "user_id", "vector_image", "norm", "embedding", "masked"),
        context=("mask", "value", "timestamp", "price"),
        users=("key", "item_id"),
    ).check()
