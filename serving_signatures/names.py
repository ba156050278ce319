"""Names of signatures, inputs and outputs; clients depend on them, so they never change.

Inputs along the candidates or the behaviors are named by `features.schema.ItemAxis.feature`.
R requests, C candidates, L behaviors, N items, M multimodal width, H heads, d head width,
D embedding width, P projection width in the head or the attention, K values of a side feature.
"""

from collections.abc import Iterable

SERVING_DEFAULT = "serving_default"
SCORE_REQUEST = "score_request"
ID_PROJECTIONS = "id_projections"
TARGET_AWARE_PROJECTIONS = "target_aware_projections"
SCORE_CACHED = "score_cached"

EXAMPLES = "examples"
ITEM_IDS = "item_ids"
MASK = "mask"

QUERY = "query"
KEY = "key"
VALUE = "value"
ID_EMBEDDING = "id_embedding"
ITEM_PRIOR = "item_prior"
PROJECTION = "projection"
ATTENTION_CONTENT = "attention_content"
ID_TAG = "id_tag"
TARGET_AWARE_TAG = "target_aware_tag"

CACHES = {ID_PROJECTIONS: ID_TAG, TARGET_AWARE_PROJECTIONS: TARGET_AWARE_TAG}
"""The tag of a cache by the cache's name. A cache is named after the signature that fills it."""

OF_ANOTHER_MODEL = "the cached projections are of another model"
"""The end of the message with which `score_cached` refuses a tag; the tag's name comes first."""


def quantized(modality: str) -> str:
    """Names the quantized vectors of a modality, int8 `[..., M]`."""
    return f"quantized_{modality}"


def norm(modality: str) -> str:
    """Names the norms of a modality's quantized vectors, float32 `[...]`."""
    return f"norm_{modality}"


def vector(modality: str) -> str:
    """Names a modality's embeddings as they come from the encoder, float32 `[..., M]`."""
    return f"vector_{modality}"


def of_items(modalities: Iterable[str]) -> list[str]:
    """Names what the projection signatures take and give for each item, besides its id."""
    content = (quantized, norm, vector)
    return [
        *(QUERY, KEY, VALUE, ID_EMBEDDING, ITEM_PRIOR, PROJECTION, ATTENTION_CONTENT),
        *CACHES.values(),
        *(name(modality) for modality in modalities for name in content),
    ]
