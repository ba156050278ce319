"""A model of a few lines of NumPy in place of a served one, and a Redis that is a dictionary."""

import contextlib

import grpc
import numpy as np

from features.records.requests import RankingRequest
from serving_signatures import names
from serving_signatures.client.messages import Output
from serving_signatures.client.remote_model import Answer

_SHAPES = {"query": (3,), "key": (3,), "value": (2,), "id_embedding": (2,)}
_CONTENT = {"quantized_text": (4,), "norm_text": ()}
_OUTPUTS = {names.ID_PROJECTIONS: _SHAPES, names.TARGET_AWARE_PROJECTIONS: _CONTENT}
_CACHED = (
    *("candidate_query", "candidate_id_embedding", "history_key", "history_value"),
    *("candidate_quantized_text", "candidate_norm_text"),
    *("history_quantized_text", "history_norm_text"),
)
_MASKS = ("candidate_mask", "history_mask")


def projections(cache, item_ids):
    """What the model computes of items."""
    rows = {}
    for number, (name, shape) in enumerate(_OUTPUTS[cache].items(), start=1):
        steps = np.arange(1, 1 + int(np.prod(shape, dtype=int))).reshape(shape)
        values = np.sin(np.multiply.outer(item_ids, steps * number)).astype(np.float32)
        rows[name] = (100 * values).astype(np.int8) if "quantized" in name else values
    return rows


class Refusal(grpc.RpcError):
    """INVALID_ARGUMENT of the server."""

    def __init__(self, details):
        super().__init__(details)
        self.details = lambda: details
        self.code = lambda: grpc.StatusCode.INVALID_ARGUMENT


class SmallModel:
    """Stands for a `RemoteModel` of version 1; refuses what the real signatures refuse."""

    def __init__(self, tags=("0a", "0b")):
        self.tags = dict(zip(names.CACHES, tags, strict=True))
        self.called = []

    def signatures(self, version=None):
        ids = {name: np.dtype(np.int64) for name in ("candidate_item_id", "history_item_id")}
        masks = dict.fromkeys(_MASKS, np.dtype(bool))
        cached = {
            name: np.dtype(np.int8 if "quantized" in name else np.float32) for name in _CACHED
        }
        tags = dict.fromkeys(names.CACHES.values(), np.dtype(object))
        return {
            names.SCORE_REQUEST: ids | masks,
            names.SCORE_CACHED: cached | masks | tags,
        } | {cache: {names.ITEM_IDS: np.dtype(np.int64)} for cache in names.CACHES}

    def outputs(self, signature, version=None):
        rows = projections(signature, np.arange(1))
        described = {name: Output(one.dtype, (-1, *one.shape[1:])) for name, one in rows.items()}
        return described | {names.CACHES[signature]: Output(np.dtype(object), (-1,))}

    def call(self, signature, inputs, version=None, log=None):
        self.called.append(signature)
        if signature in names.CACHES:
            item_ids = inputs[names.ITEM_IDS]
            tags = np.array([self.tags[signature].encode()] * len(item_ids), object)
            rows = projections(signature, item_ids)
            return Answer({**rows, names.CACHES[signature]: tags}, 1)
        if signature == names.SCORE_REQUEST:
            rows = {}
            for cache in names.CACHES:
                for side in ("candidate", "history"):
                    found = projections(cache, inputs[f"{side}_item_id"])
                    rows |= {f"{side}_{name}": one for name, one in found.items()}
            return self._answer({**inputs, **rows})
        for cache, tag in names.CACHES.items():
            expected = self.tags[cache]
            if other := {one for one in inputs[tag] if one.decode() != expected}:
                raise Refusal(
                    f"{tag}: {names.OF_ANOTHER_MODEL}. Expected] [{expected}] [received] [{other}"
                )
        for name in _CACHED:
            if not np.isfinite(inputs[name]).all():
                raise Refusal(f"{name}: values must be finite, received NaN or infinity")
        return self._answer(inputs)

    def call_each(self, signature, inputs, version):
        return [self.call(signature, one, version) for one in inputs]

    def _answer(self, values):
        kept = values["history_mask"][..., None]
        history = np.where(kept, values["history_key"], 0).sum(axis=1)
        value = np.where(kept, values["history_value"], 0).sum(axis=1)
        content = np.where(kept, values["history_quantized_text"], 0).sum(axis=1, dtype=np.int64)
        norms = np.where(values["history_mask"], values["history_norm_text"], 0).sum(axis=1)
        logits = (
            np.einsum("rcd,rd->rc", values["candidate_query"], history)
            + np.einsum("rcd,rd->rc", values["candidate_id_embedding"], value)
            + np.einsum("rcd,rd->rc", values["candidate_quantized_text"], content) / 1e5
            + values["candidate_norm_text"] * norms[:, None]
        )
        scores = np.where(values["candidate_mask"], 1 / (1 + np.exp(-logits)), 0)
        return Answer({"click": scores.astype(np.float32), names.MASK: values["candidate_mask"]}, 1)


class DictionaryRedis:
    """What the library `redis` answers, from a dictionary of keys and bytes."""

    def __init__(self):
        self.values = {}

    def mget(self, keys):
        return [self.values.get(key) for key in keys]

    def delete(self, *keys):
        for key in keys:
            self.values.pop(key, None)

    def pipeline(self, transaction):
        return contextlib.nullcontext(self)

    def set(self, key, value, ex):
        self.values[key] = value

    def execute(self):
        pass


def request(candidates, history):
    """A request by ids alone."""
    zeros = np.zeros(len(history), np.int64)
    return RankingRequest(np.array(candidates), np.array(history, np.int64), zeros, zeros)
