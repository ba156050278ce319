"""Warm start: copies the weights of an earlier model, whose vocabulary may differ."""

import collections
import dataclasses
from collections.abc import Mapping

import tensorflow as tf
from absl import logging

from features import id_kinds
from features.errors import UserInputError
from features.schema import ExampleSchema
from models.ranking_model import RankingModel
from models.training import distribution


@dataclasses.dataclass(frozen=True)
class WarmStart:
    """The result of a warm start.

    Attributes:
      kept: number of ids whose row was copied; all rows of a hashed table.
      new: number of ids without a row in the earlier model.
      dropped: number of ids with a row in the earlier model only.
      copied: names of the other variables that were copied.
      initial: names of variables that the earlier model lacks; they keep their initial values.
      unused: names of variables that only the earlier model has.
    """

    kept: int
    new: int
    dropped: int
    copied: tuple[str, ...]
    initial: tuple[str, ...]
    unused: tuple[str, ...]

    def log(self, source: str) -> None:
        """Logs the result in up to three lines."""
        logging.info(
            "Warm start from %s: %d ids keep their rows, %d are new, %d are dropped; %d other "
            "variables are copied.",
            *(source, self.kept, self.new, self.dropped, len(self.copied)),
        )
        if self.initial:
            logging.info("Not in that model, so with initial values: %s", ", ".join(self.initial))
        if self.unused:
            logging.info("Not in this model, so not used: %s", ", ".join(self.unused))


def warm_start(model: RankingModel, earlier: RankingModel) -> WarmStart:
    """Copies an earlier model's weights into a model with initial values.

    Item rows are matched by id. A new id starts with the row that the earlier model looked up for
    it: the OOV row of its hash, which id dropout trained on typical items. So before its first
    step the model predicts the same as the earlier one for every request without a dropped id.
    Rates of the item prior are matched alike, and later counts are shrunken towards them. After an
    earlier model without a prior its factor starts at 0: the weights hold the rates already.

    All other variables are matched by their path in the model, including the statistics that
    inputs are standardized by: the weights behind these were trained on them, and fitting them
    anew would change every prediction. A model that reads vectors keeps its own embedding sets.

    Optimizer slots are not copied: the schedule of step sizes starts again, and published weights
    are those of the best evaluation, not of the last step.

    Args:
      model: its variables must exist.
      earlier: a model of the same architecture; only the vocabulary may differ.

    Raises:
      UserInputError: a variable has another shape, only one of the two models hashes ids, or
        their ids are integers in one and strings in the other.
    """
    _check_features(model.schema, earlier.schema)
    own, theirs = _by_path(model), _by_path(earlier)
    shared = [name for name in own if name in theirs]
    _check_shapes({name: (own[name], theirs[name]) for name in shared})
    for name in shared:
        own[name].assign(theirs[name])
    if model.logit_shift != earlier.logit_shift:
        # Logits are of the records, so another share of negatives moves them all.
        for head in (model.head, model.auxiliary_head):
            if head is not None:
                head.shift(earlier.logit_shift - model.logit_shift)
    if model.item_prior is not None:
        if earlier.item_prior is None:
            model.item_prior.disable()
        else:
            sources = model.item_embedding.rows_in(earlier.item_embedding)
            model.item_prior.adopt(earlier.item_prior, sources)
    kept, new, dropped = model.item_embedding.adopt(earlier.item_embedding)
    return WarmStart(
        *(kept, new, dropped, tuple(shared)),
        initial=tuple(name for name in own if name not in theirs),
        unused=tuple(name for name in theirs if name not in own),
    )


def _by_path(model: RankingModel) -> dict[str, tf.Variable]:
    """Returns weights by their path of attributes, without the tables of items.

    The path, such as `attention/_query_kernel`, is the checkpoint's key. A variable's own name will
    not do: Keras numbers layers per process, so it differs between two models.
    """
    view = tf.train.TrackableView(model)
    excluded = [model.item_embedding]
    if model.item_prior is not None:
        excluded += model.item_prior.tables
    excluded += model.content_tables.values()
    weights = {id(variable) for variable in model.weights}
    seen = {id(part) for part in (model, *excluded)}
    found: dict[str, tf.Variable] = {}
    # Breadth first, so that a variable reachable in two ways gets its shortest path.
    waiting = collections.deque([("", model)])
    while waiting:
        path, parent = waiting.popleft()
        for name, child in view.children(parent).items():
            if id(child) in seen:
                continue
            seen.add(id(child))
            # `model.weights` lists the shards of a variable on parameter servers, not the variable.
            if weights.issuperset(map(id, distribution.parts([child]))):
                found[f"{path}{name}"] = child
            waiting.append((f"{path}{name}/", child))
    return found


def _check_features(own: ExampleSchema, theirs: ExampleSchema) -> None:
    """Refuses features in another order, which equal shapes would hide, and other ids."""
    received, expected = theirs.id_kinds.item, own.id_kinds.item
    remedy = "No row could be kept: train from scratch."
    id_kinds.check(received, "--warm_start", expected, "the records", remedy)
    for name in ("modality_names", "item_features", "context_features"):
        here, there = getattr(own, name), getattr(theirs, name)
        if here != there:
            raise UserInputError(
                f"--warm_start: the records' {name} are {here}, the earlier model's {there}. Join "
                "with the same embeddings and side features, or train from scratch."
            )


def _check_shapes(pairs: Mapping[str, tuple[tf.Variable, tf.Variable]]) -> None:
    differing = [
        f"{name} has shape {tuple(own.shape)}, there {tuple(theirs.shape)}"
        for name, (own, theirs) in pairs.items()
        if own.shape != theirs.shape
    ]
    if differing:
        raise UserInputError(
            f"--warm_start: {'; '.join(differing)}. Only tables of ids may change: give the "
            "earlier model's settings (its model.json), records of the same features and, if it "
            "read vectors, --embeddings, or train from scratch."
        )
