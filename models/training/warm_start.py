"""Starts a model with the weights of an earlier one, whose vocabulary may have been another."""

import collections
import dataclasses
from collections.abc import Mapping

import tensorflow as tf
from absl import logging

from features.errors import UserInputError
from features.schema import ExampleSchema
from models.ranking_model import RankingModel
from models.training import distribution


@dataclasses.dataclass(frozen=True)
class WarmStart:
    """What became of an earlier model's weights.

    Attributes:
      kept: ids whose row was copied; all rows of a hashed table.
      new: ids that the earlier model had no row for.
      dropped: ids of the earlier model that have no row any more.
      copied: names of the other variables that were copied.
      initial: names of variables that the earlier model lacks; they keep their initial values.
      unused: names of the earlier model's variables that this one lacks.
    """

    kept: int
    new: int
    dropped: int
    copied: tuple[str, ...]
    initial: tuple[str, ...]
    unused: tuple[str, ...]

    def log(self, source: str) -> None:
        """Says it in a few lines."""
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

    Item rows are matched by id. A new id starts with what the earlier model looked up for it, the
    OOV row of its hash, which id dropout taught what an unknown item is like. So, until it is
    trained, the model predicts for every request what the earlier one does, as long as no id of it
    was dropped. Everything else is matched by its place in the model, with statistics that inputs
    are standardized by, because the weights behind them were learned on those: adapting
    them anew would change every prediction before the first step. Embedding sets of models that
    read vectors are the new model's own.

    An optimizer's slots are not part of this: the step sizes' schedule starts again, and
    published weights are those of the best evaluation, not of the last step.

    Args:
      model: its variables must exist.
      earlier: of the same architecture, but for the vocabulary.

    Raises:
      UserInputError: a variable has another shape, or ids were hashed and are not any more, or
        the other way round.
    """
    _check_features(model.schema, earlier.schema)
    own, theirs = _by_place(model), _by_place(earlier)
    shared = [name for name in own if name in theirs]
    _check_shapes({name: (own[name], theirs[name]) for name in shared})
    for name in shared:
        own[name].assign(theirs[name])
    kept, new, dropped = model.item_embedding.adopt(earlier.item_embedding)
    return WarmStart(
        *(kept, new, dropped, tuple(shared)),
        initial=tuple(name for name in own if name not in theirs),
        unused=tuple(name for name in theirs if name not in own),
    )


def _by_place(model: RankingModel) -> dict[str, tf.Variable]:
    """Returns weights by their path of attributes, without the item table and embedding sets.

    Keras numbers the names of layers by process, so that a variable's own name is not the same
    in two models.
    """
    view = tf.train.TrackableView(model)
    apart = [model.item_embedding]
    if model.reads_vectors:
        apart += model.content_embedding.tables.values()
    weights = {id(variable) for variable in model.weights}
    seen = {id(part) for part in (model, *apart)}
    found: dict[str, tf.Variable] = {}
    waiting = collections.deque([("", model)])
    while waiting:
        place, parent = waiting.popleft()
        for name, child in view.children(parent).items():
            if id(child) in seen:
                continue
            seen.add(id(child))
            if weights.issuperset(map(id, distribution.parts([child]))):
                found[f"{place}{name}"] = child
            waiting.append((f"{place}{name}/", child))
    return found


def _check_features(own: ExampleSchema, theirs: ExampleSchema) -> None:
    """Refuses features in another order, which shapes alone would not show."""
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
            "earlier model's settings (its model.json) and records of the same features, or train "
            "from scratch."
        )
