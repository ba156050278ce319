"""Random requests and schemas, for tests of records."""

import numpy as np

from features.records.requests import RankingRequest
from features.schema import ExampleSchema, Modality, SideFeature

SCHEMA = ExampleSchema(
    labels=("click", "conversion"),
    modalities=(Modality("text", 5), Modality("image", 3, candidate_embedding=False)),
    history_length=6,
    behavior_types=2,
    item_features=(SideFeature("genres", "categorical", 3), SideFeature("price", "numeric")),
    context_features=(SideFeature("page", "categorical"), SideFeature("hours", "numeric", 2)),
)


def random_request(random, schema, candidates, behaviors):
    """Returns a request with ids over the whole int64 range."""

    def ids(*shape):
        return random.integers(-(2**63), 2**63, shape, np.int64)

    def side(feature, *shape):
        if feature.kind == "categorical":
            return ids(*shape, feature.width)
        return random.normal(size=(*shape, feature.width)).astype(np.float32)

    residuals = schema.has_residuals
    return RankingRequest(
        user_id=int(ids()),
        request_id=int(ids()),
        timestamp=int(random.integers(2**50)),
        history_item_id=ids(behaviors),
        history_time_gap=random.integers(1, 10**7, behaviors),
        history_type=random.integers(0, schema.behavior_types, behaviors),
        candidate_item_id=ids(candidates),
        labels={
            label: random.integers(0, 2, candidates).astype(np.float32) for label in schema.labels
        },
        features={
            **({"history_residual": random.integers(0, 256, behaviors)} if residuals else {}),
            **{
                f"similarity_{name}": random.integers(0, 256, (candidates, behaviors)).astype(
                    np.uint8
                )
                for name in schema.modality_names
            },
            **{
                f"candidate_embedding_{one.name}": random.integers(
                    -127, 128, (candidates, one.dimension)
                ).astype(np.int8)
                for one in schema.modalities
                if one.candidate_embedding
            },
            **{f"candidate_{one.name}": side(one, candidates) for one in schema.item_features},
            **{f"context_{one.name}": side(one) for one in schema.context_features},
        },
    )
