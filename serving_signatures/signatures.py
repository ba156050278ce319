"""The named functions of a SavedModel."""

from collections.abc import Callable, Mapping

import tensorflow as tf

from features import in_graph
from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.records import example
from features.schema import (
    BEHAVIORS,
    CANDIDATE_MASK,
    CANDIDATES,
    HISTORY_MASK,
    ITEM_AXES,
    ItemAxis,
    candidate_embedding_feature,
    similarity_feature,
)
from kernels import library, pairs
from models.dmf import DMF
from models.layers.content_table import ContentTable
from models.ranking_model import RankingModel
from serving_signatures import call_size, input_checks, names, tags
from serving_signatures.input_specs import InputSpecs
from serving_signatures.size_bound import SizeBound

Tensors = dict[str, tf.Tensor]

_Content = tuple[tf.Tensor, tf.Tensor]
"""Quantized vectors, int8 `[..., M]`, and their norms, float32 `[...]`."""


class ServingSignatures:
    """A ranking model as signatures for TF Serving; every input leads with R or N.

    `serving_default` scores serialized Examples; the other signatures must give its scores.
    `score_request` scores ids, and computes similarity codes from the embedding sets inside the
    model, or from vectors in the request where none are inside. A `DMF` also gets the split
    signatures: `id_projections` and `target_aware_projections` fill two caches that age
    differently, `score_cached` scores from them and refuses a tag that is not this model's.

    Args:
      model: a trained model.
      embeddings: embedding set by modality to keep inside the model; all modalities or none.
      max_pairs: the largest call that the signatures answer, see `call_size`.
      kernels: compute by native kernels, which the server then needs; otherwise by stock ops alone.

    Raises:
      UserInputError: only some modalities have an embedding set, a width differs, or the kernels
        were not built.
    """

    def __init__(
        self,
        model: RankingModel,
        embeddings: Mapping[str, EmbeddingSet] | None = None,
        max_pairs: int = call_size.DEFAULT_MAX_PAIRS,
        kernels: bool = False,
    ) -> None:
        self.model = model
        self.schema = model.schema.of_requests
        histograms = len(model.modalities) * self.schema.behavior_types
        self.bound = SizeBound(max_pairs, histograms)
        self._check(embeddings or {})
        self.tables = {
            name: ContentTable(embedding_set, name)
            for name, embedding_set in (embeddings or {}).items()
        }
        self._inputs = InputSpecs(model, self.schema, bool(self.tables), self.attends_to_sets)
        self.tags: dict[str, str] = {}
        with library.use("on" if kernels else "off"):
            self.functions = self._trace()

    def module(self) -> tf.Module:
        """Returns what to save: the variables that the functions read, and nothing else.

        Without the Keras objects a SavedModel holds no optimizer state, no metric and no traced
        layer besides the signatures, and is written several times faster. Two exports of one model
        have the same bytes, so the order of the variables is that of the trace.
        """
        captured = {
            id(value): value
            for function in self.functions.values()
            for value in tags.in_order_of_capture(function)
            if isinstance(value, tf.Variable)
        }
        module = tf.Module(name="serving_signatures")
        module.captured = list(captured.values())
        return module

    @property
    def vectors_in_request(self) -> bool:
        """Whether requests carry embeddings: the model reads them and has no set inside."""
        return bool(self.model.modalities) and not self.tables

    @property
    def attends_to_sets(self) -> bool:
        """Whether attention reads the embedding sets inside, which may be newer than the model.

        Without sets inside, a model whose attention reads vectors has those of its training, which
        are looked up by id: they belong to the projections of ids then.
        """
        return bool(self.tables) and self.model.content_embedding is not None

    def _check(self, embeddings: Mapping[str, EmbeddingSet]) -> None:
        expected = {modality.name: modality.dimension for modality in self.model.modalities}
        received = {name: values.dimension for name, values in embeddings.items()}
        if received and received != expected:
            raise UserInputError(
                f"Embedding sets are {received} (width by modality), but the model was trained "
                f"with {expected}. Give --embeddings for each of those, or for none."
            )

    def _trace(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        examples = {names.EXAMPLES: tf.TensorSpec([None], tf.string)}
        functions = {
            names.SERVING_DEFAULT: _trace(self._serving_default, examples),
            names.SCORE_REQUEST: _trace(self._score_request, self._inputs.of_request()),
        }
        if not isinstance(self.model, DMF):
            return functions
        item_ids = {names.ITEM_IDS: tf.TensorSpec([None], tf.int64)}
        vectors = item_ids if self.tables else self._inputs.vectors([None])
        # Kernels look up the same bytes, so a cache is of both.
        with library.use("off"):
            self.tags = {
                names.ID_TAG: tags.fingerprint(_trace(self._id_projections, item_ids)),
                names.TARGET_AWARE_TAG: tags.fingerprint(
                    _trace(self._target_aware_projections, vectors)
                ),
            }
        return functions | {
            names.ID_PROJECTIONS: _trace(
                self._tagged(self._id_projections, names.ID_TAG), item_ids
            ),
            names.TARGET_AWARE_PROJECTIONS: _trace(
                self._tagged(self._target_aware_projections, names.TARGET_AWARE_TAG), vectors
            ),
            names.SCORE_CACHED: _trace(self._score_cached, self._inputs.of_caches()),
        }

    def _serving_default(self, **inputs: tf.Tensor) -> Tensors:
        examples = input_checks.require_rows(inputs[names.EXAMPLES], names.EXAMPLES)
        examples = self.bound.records(examples, len(self.schema.modalities))
        parsed = example.parse_examples(self.schema, examples)
        read = self._inputs.of_context().keys() | {axis.item_id for axis in ITEM_AXES}
        batch = parsed | self._checked({name: parsed[name] for name in sorted(read)})
        if self.attends_to_sets:
            batch |= self._vectors_beside(batch)
        return self._outputs(self.model.logits_by_label(batch), batch, {})

    def _score_request(self, **inputs: tf.Tensor) -> Tensors:
        batch = self._checked(inputs)

        def content(modality: str, axis: ItemAxis) -> _Content:
            vectors = axis.feature(names.vector(modality))
            return self._content(modality, batch, axis.item_id, vectors)

        self._add_content(batch, content)
        return self._outputs(self.model.logits_by_label(batch), batch, inputs)

    def _id_projections(self, **inputs: tf.Tensor) -> Tensors:
        inputs = input_checks.same_rows(inputs, self.bound)
        embedding = self.model.item_embedding(inputs[names.ITEM_IDS])
        attended = embedding
        if self.model.content_embedding is not None and not self.attends_to_sets:
            content = self.model.content_embedding(inputs[names.ITEM_IDS])
            attended = tf.concat([embedding, content], axis=-1)
        key, value = self.model.attention.project_history(attended)
        outputs = {
            names.QUERY: self.model.attention.project_query(attended),
            names.KEY: key,
            names.VALUE: value,
            names.ID_EMBEDDING: embedding,
        }
        if self.model.item_prior is not None:
            rows = self.model.item_embedding.rows(inputs[names.ITEM_IDS])
            outputs[names.ITEM_PRIOR] = self.model.item_prior(rows)
        return outputs

    def _target_aware_projections(self, **inputs: tf.Tensor) -> Tensors:
        outputs = {}
        inputs = input_checks.same_rows(inputs, self.bound)
        for modality in self.model.modalities:
            vectors = names.vector(modality.name)
            quantized, norm = self._content(modality.name, inputs, names.ITEM_IDS, vectors)
            outputs[names.quantized(modality.name)] = quantized
            outputs[names.norm(modality.name)] = norm
        if self.model.projected_modalities:
            outputs[names.PROJECTION] = self.model.content_projection(
                {
                    modality.name: outputs[names.quantized(modality.name)]
                    for modality in self.model.projected_modalities
                }
            )
        if self.attends_to_sets:
            outputs[names.ATTENTION_CONTENT] = self.model.content_embedding.project(
                {one.name: outputs[names.quantized(one.name)] for one in self.model.modalities}
            )
        return outputs

    def _score_cached(self, **inputs: tf.Tensor) -> Tensors:
        checks = [
            input_checks.require_tag(name, inputs[name], tag) for name, tag in self.tags.items()
        ]
        with tf.control_dependencies(checks):
            batch = self._checked(inputs)

        def cached(modality: str, axis: ItemAxis) -> _Content:
            return (
                batch[axis.feature(names.quantized(modality))],
                batch[axis.feature(names.norm(modality))],
            )

        self._add_content(batch, cached)
        interest = self.model.interest_from_projections(
            batch[CANDIDATES.feature(names.QUERY)],
            batch[BEHAVIORS.feature(names.KEY)],
            batch[BEHAVIORS.feature(names.VALUE)],
            self._cached_content(batch),
            batch,
        )
        content = []
        if self.model.projected_modalities:
            content.append(batch[CANDIDATES.feature(names.PROJECTION)])
        embedding = batch[CANDIDATES.feature(names.ID_EMBEDDING)]
        prior = batch.get(CANDIDATES.feature(names.ITEM_PRIOR))
        logits = self.model.logits(embedding, interest, content, batch, added=prior)
        return self._outputs(logits, batch, inputs)

    def _cached_content(self, batch: Tensors) -> tuple[tf.Tensor, tf.Tensor] | None:
        """Returns the content that attention reads of candidates and of behaviors, if it does."""
        if not self.attends_to_sets:
            return None
        of_candidates, of_behaviors = (
            batch[axis.feature(names.ATTENTION_CONTENT)] for axis in ITEM_AXES
        )
        return of_candidates, of_behaviors

    def _vectors_beside(self, records: Tensors) -> Tensors:
        """Returns the vectors that records lack, int8 `[R, C or L, M]`, from the tables inside."""
        return {
            feature: table.lookup(records[axis.item_id])[0]
            for axis in ITEM_AXES
            for name, table in self.tables.items()
            if (feature := axis.embedding(name)) not in records
        }

    def _checked(self, inputs: Tensors) -> Tensors:
        vectors = [
            axis.feature(names.vector(modality.name))
            for modality in self.model.modalities
            for axis in ITEM_AXES
        ]
        return input_checks.checked(inputs, self.schema.behavior_types, self.bound, vectors)

    def _content(self, modality: str, inputs: Tensors, item_ids: str, vectors: str) -> _Content:
        """Returns the content of items, from the table inside or the vectors sent."""
        if self.tables:
            return self.tables[modality].lookup(inputs[item_ids])
        return in_graph.quantize(inputs[vectors], vectors)

    def _add_content(self, batch: Tensors, content: Callable[[str, ItemAxis], _Content]) -> None:
        """Adds similarity codes and candidates' vectors to a batch, as a parsed record has them."""
        for modality in (one.name for one in self.model.modalities):
            candidates, (quantized, norm) = (content(modality, axis) for axis in ITEM_AXES)
            norm = tf.where(batch[HISTORY_MASK], norm, tf.zeros_like(norm))
            codes = pairs.similarity_codes if library.ops() else in_graph.codes
            batch[similarity_feature(modality)] = codes(*candidates, quantized, norm)
            batch[candidate_embedding_feature(modality)] = candidates[0]
            if self.attends_to_sets:
                batch[BEHAVIORS.embedding(modality)] = quantized

    def _outputs(self, logits: Tensors, batch: Tensors, inputs: Tensors) -> Tensors:
        mask = batch[CANDIDATE_MASK]
        outputs = {names.MASK: tf.identity(mask)}
        for label, one in logits.items():
            scores = tf.where(mask, tf.sigmoid(one), 0.0)
            outputs[label] = input_checks.finite_scores(scores, label, inputs)
        return outputs

    def _tagged(self, function: Callable[..., Tensors], tag: str) -> Callable[..., Tensors]:
        def tagged(**inputs: tf.Tensor) -> Tensors:
            outputs = function(**inputs)
            # Of an output, which the bound on N comes before.
            count = tf.shape(next(iter(outputs.values())))[:1]
            return {**outputs, tag: tf.fill(count, self.tags[tag])}

        return tagged


def _trace(
    function: Callable[..., Tensors], specs: Mapping[str, tf.TensorSpec]
) -> tf.types.experimental.ConcreteFunction:
    """Traces a function of named inputs."""
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()}
    return tf.function(function, autograph=False).get_concrete_function(**named)
