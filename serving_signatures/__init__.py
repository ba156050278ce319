"""From a trained model to a verified, versioned SavedModel, and the client that calls it.

- `names`: of signatures, inputs and outputs.
- `signatures`: `ServingSignatures`, the named functions.
- `input_specs`: what they take, as TensorSpecs.
- `input_checks`: checks of inputs in the graph, with the input's name in the message.
- `tags`: fingerprints of the variables that a cache depends on.
- `versions/`: a model's folder and its versions, label rollout, pruning, cache validity.
- `export/`: write, verify in a fresh process, publish.
- `client/`: `RankingClient`, which scores requests by ids or from cached projections.
- `skew/`: training against serving, by replay of records and logged calls.
"""

import features as _features  # noqa: F401  Its settings must precede TensorFlow.
