"""Tables of the signatures: every input and output, from the TensorSpecs of a model.

The model is a DMF whose sizes are distinct numbers, each of which stands for a letter: a tensor
`[None, None, 7, 11]` along the candidates is `[R, C, H, d]`. Nothing is trained.
"""

import functools
from collections.abc import Mapping
from typing import Any

from docs_build.tables.table import Table, markdown

_LETTERS = {3: "K", 5: "1 + S", 7: "H", 10: "2 + 2 S", 11: "d", 13: "D", 17: "M", 19: "P", 23: "A"}
"""What a size of the model stands for; S is 4."""

_LABEL, _CONVERSION, _MODALITY, _NUMBER, _CATEGORY = (
    *("label", "conversion_label", "modality", "number_column", "category_column"),
)
"""Names that the pages show as placeholders."""

_VECTORS = "the encoder's vectors, zeros where there is none"
_TAGS = {
    "id_tag": "fingerprint of what `id_projections` depend on",
    "target_aware_tag": "fingerprint of what `target_aware_projections` depend on",
}
_PROJECTIONS = {
    "query": "attention's query, for a candidate",
    "key": "attention's key, for a behavior",
    "value": "attention's value, for a behavior",
    "id_embedding": "the id's row of the embedding table",
    "item_prior": "what the item's own rate adds to the logit",
    "quantized_<modality>": "the vector, quantized as in the join; zeros where there is none",
    "norm_<modality>": "the quantized vector's norm; 0 where there is none",
    "projection": "the modalities' projections for the head, side by side",
    "attention_content": "the same for the attention, if it reads the sets inside",
}
_SIDE = {
    "<number_column>": "numbers, 0 where there is none",
    "<category_column>": "ids, strings by fingerprint, 0 where there is none",
}

MEANINGS = {
    "examples": "serialized records, as the join writes them",
    "item_ids": "items, known or not; string ids by fingerprint",
    "vector_<modality>": f"without sets inside, instead of `item_ids`: {_VECTORS}",
    "candidate_item_id": "items to score; string ids by fingerprint",
    "candidate_mask": "true for a candidate, false for padding",
    **{f"candidate_{name}": f"column of `--items`: {text}" for name, text in _SIDE.items()},
    "candidate_running_statistics": "with `--statistics`: the item's count and sums",
    "candidate_vector_<modality>": f"without sets inside: {_VECTORS}",
    "history_item_id": "items of the behaviors, oldest first",
    "history_mask": "true for a behavior, false for padding",
    "history_time_gap": "whole seconds from the behavior to the request",
    "history_type": "number of the last `--behavior_type` that the behavior passes, from 1; else 0",
    "history_residual": "with `--statistics`: the behavior's residual as a code",
    "history_vector_<modality>": f"without sets inside: {_VECTORS}",
    **{
        f"context_{name}": f"column of `--users` or `--context`: {text}"
        for name, text in _SIDE.items()
    },
    "context_running_statistics": "with `--statistics`: the user's count and sums, then residuals",
    **_PROJECTIONS,
    **{
        f"{prefix}{name}": f"`{name}` of the {items}"
        for prefix, items in (("candidate_", "candidates"), ("history_", "behaviors"))
        for name in _PROJECTIONS
    },
    **_TAGS,
    "<label>": "probability of the label, 0 where masked",
    "<conversion_label>": "with `model.conversion_label`: probability of both, 0 where masked",
    "mask": "`candidate_mask` again",
}
"""What a tensor holds, by its name in the tables and in their order."""


@functools.cache
def _specs(tables_inside: bool) -> Mapping[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Returns inputs and outputs by signature, each a TensorSpec by name."""
    # TensorFlow is imported for these tables alone.
    import numpy as np

    from features.embeddings import embedding_set
    from features.records import running_statistics
    from features.schema import ExampleSchema, Modality, SideFeature
    from models import factory
    from models.model_config import ModelConfig
    from serving_signatures.signatures import ServingSignatures

    statistics = ("a", "b", "c", "e")
    columns = (SideFeature(_NUMBER, "numeric", 3), SideFeature(_CATEGORY, "categorical", 3))
    schema = ExampleSchema(
        labels=(_LABEL, _CONVERSION),
        modalities=(Modality(_MODALITY, 17),),
        history_length=2,
        item_features=(*columns, running_statistics.item_feature(statistics)),
        context_features=(*columns, running_statistics.context_feature(statistics)),
    )
    config = ModelConfig(
        conversion_label=_CONVERSION,
        embedding_width=13,
        heads=7,
        head_width=11,
        projection_width=19,
        content_width=23,
        hidden=(2,),
    )
    items = np.arange(2)
    vectors = {_MODALITY: embedding_set.from_vectors(items, np.ones((2, 17), np.float32))}
    model = factory.build_model(config, schema, items, vectors)
    functions = ServingSignatures(model, vectors if tables_inside else None).functions
    return {
        name: (function.structured_input_signature[1], function.structured_outputs)
        for name, function in functions.items()
    }


def _shown(name: str) -> str:
    """Returns a tensor's name with placeholders."""
    for known in (_CONVERSION, _MODALITY, _NUMBER, _CATEGORY):
        name = name.replace(known, f"<{known}>")
    return f"<{name}>" if name == _LABEL else name


def _shape(name: str, signature: str, sizes: tuple[int | None, ...]) -> str:
    leading = ["N" if signature.endswith("projections") else "R"]
    leading.append("L" if name.startswith("history_") else "C")
    letters = [leading[axis] if size is None else _LETTERS[size] for axis, size in enumerate(sizes)]
    return f"[{', '.join(letters)}]"


def _tensors(signature: str, side: int) -> str:
    """Returns the table of a signature's inputs (side 0) or outputs (side 1)."""
    specs = _specs(True)[signature][side] | _specs(False)[signature][side]
    rows = []
    for name, spec in specs.items():
        shown = _shown(name)
        shape = _shape(name, signature, tuple(spec.shape))
        rows.append((f"`{shown}`", spec.dtype.name, f"`{shape}`", MEANINGS[shown]))
    order = [f"`{name}`" for name in MEANINGS]
    rows.sort(key=lambda row: order.index(row[0]))
    return markdown(("tensor", "dtype", "shape", "value"), rows)


TABLES: dict[str, Table] = {
    f"signatures.{name}.{side}": functools.partial(_tensors, name, number)
    for name in (
        *("serving_default", "score_request", "score_cached"),
        *("id_projections", "target_aware_projections"),
    )
    for number, side in enumerate(("inputs", "outputs"))
}
