"""Whatever a server answers, the client returns scores of the right shape or an RpcError."""

import socket
import threading
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from features.records.requests import PaddedSizes
from serving_signatures import names
from serving_signatures.client import messages
from serving_signatures.client.answer_errors import UnexpectedAnswerError
from serving_signatures.client.channel import open_channel
from serving_signatures.client.projection_store import ProjectionStoreError
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.redis_store import RedisProjectionStore
from serving_signatures.client.remote_model import Answer, RemoteModel
from tests.serving_signatures.client.small_model import SmallModel, projections, request

SIZES = PaddedSizes((3,), (2,))
REQUESTS = [request([7, -3, 5], [0, 7])]
CACHE = names.ID_PROJECTIONS
INPUTS = ("candidate_item_id", "history_item_id", "candidate_mask", "history_mask")


def metadata(signatures=(names.SCORE_REQUEST,), dtype=types_pb2.DT_INT64):
    """An answer of GetModelMetadata, of signatures that take ids."""
    packed = get_model_metadata_pb2.SignatureDefMap()
    for signature in signatures:
        for name in INPUTS:
            kind = types_pb2.DT_BOOL if name.endswith("mask") else dtype
            packed.signature_def[signature].inputs[name].dtype = kind
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.version.value = 3
    response.metadata["signature_def"].Pack(packed)
    return response


def scores(values=((0.1, 0.2, 0.3),), **outputs):
    """An answer of Predict."""
    response = predict_pb2.PredictResponse()
    response.model_spec.version.value = 3
    for name, one in {"click": np.array(values, np.float32), **outputs}.items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(one))
    return response


class Answers(grpc.GenericRpcHandler):
    """Answers with the given bytes, by method."""

    def __init__(self):
        self.bytes = {}

    def service(self, details):
        method = details.method.rpartition("/")[2]
        if method == "Watch":
            return None
        return grpc.unary_unary_rpc_method_handler(lambda *_: self.bytes[method])


@pytest.fixture(scope="module")
def server():
    answers = Answers()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((answers,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with open_channel(f"127.0.0.1:{port}", timeout_seconds=60) as channel:
        yield answers, channel
    server.stop(None).wait()


def score(server, described, predicted):
    answers, channel = server
    answers.bytes = {"GetModelMetadata": described, "Predict": predicted}
    return RankingClient(RemoteModel(channel, "m"), sizes=SIZES).score_request(REQUESTS)


def test_what_is_whole_is_taken(server):
    scored = score(server, metadata().SerializeToString(), scores().SerializeToString())
    np.testing.assert_allclose(scored.probabilities["click"][0], [0.1, 0.2, 0.3])


def test_random_damage_of_answers_is_an_error_of_the_call(server):
    whole = metadata().SerializeToString(), scores().SerializeToString()
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(300):
        sent = list(whole)
        which = rng.integers(2)
        damaged = bytearray(sent[which])
        match rng.integers(3):
            case 0:
                damaged[rng.integers(len(damaged))] ^= int(rng.integers(1, 256))
            case 1:
                del damaged[rng.integers(len(damaged)) :]
            case 2:
                damaged = rng.bytes(rng.integers(1, 60))
        sent[which] = bytes(damaged)
        try:
            scored = score(server, *sent)
        except grpc.RpcError as error:
            assert isinstance(error.code(), grpc.StatusCode) and error.details()
            failed += 1
        except ValueError as error:
            # The names of inputs are the server's: one that a request lacks is the caller's.
            assert "The model wants" in str(error) or ": expected" in str(error)
            assert which == 0
        else:
            for label in scored.probabilities.values():
                assert [one.shape for one in label] == [(3,)]
    assert failed > 100


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (b"", "has no signatures"),
        (metadata(()).SerializeToString(), "has no signatures"),
        (metadata(("other",)).SerializeToString(), r"signature score_request.*\['other'\]"),
        (metadata(dtype=999).SerializeToString(), "cannot be read"),
    ],
)
def test_metadata_of_another_service_is_named(server, described, message):
    with pytest.raises(UnexpectedAnswerError, match=message) as raised:
        score(server, described, b"")
    assert raised.value.code() == grpc.StatusCode.INTERNAL
    assert raised.value.details() == str(raised.value)


def test_metadata_that_is_garbage_within_is_named(server):
    response = metadata()
    response.metadata["signature_def"].value = b"\xff" * 9
    with pytest.raises(UnexpectedAnswerError, match="metadata cannot be read"):
        score(server, response.SerializeToString(), b"")


def huge():
    response = scores()
    for dimension in response.outputs["click"].tensor_shape.dim:
        dimension.size = 2**31
    return response


def negative():
    response = scores()
    response.outputs["click"].tensor_shape.dim[0].size = -1
    return response


def of_no_dtype():
    response = scores()
    response.outputs["click"].dtype = 0
    return response


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        (predict_pb2.PredictResponse(), "expected scores, received no output of a label"),
        (scores([[0.1, 0.2]]), r"expected click as floats of shape \[1, 3\], received float32 of"),
        (scores(like=np.array([[1, 2, 3]])), r"expected like as floats .*, received int64"),
        (scores([[0.1, np.nan, 0.3]]), "click holds NaN"),
        (huge(), "output click cannot be read: shape"),
        (negative(), "output click cannot be read: shape"),
        (of_no_dtype(), "output click cannot be read"),
    ],
)
def test_scores_of_another_form_are_refused_by_name(server, predicted, message):
    with pytest.raises(UnexpectedAnswerError, match=f"score_request: {message}"):
        score(server, metadata().SerializeToString(), predicted.SerializeToString())


def test_values_that_repeat_their_last_one_are_read():
    response = scores(np.zeros((1, 3)))
    response.outputs["click"].ClearField("tensor_content")
    response.outputs["click"].float_val.append(0.5)
    assert messages.outputs(response, "s")["click"].tolist() == [[0.5] * 3]


class Projecting(SmallModel):
    """Answers the projection signature with something else."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def call(self, signature, inputs, version=None, log=None):
        answer = super().call(signature, inputs, version)
        return Answer(self.change(answer.outputs), 1) if signature == CACHE else answer


@pytest.mark.parametrize(
    "change",
    [
        lambda outputs: {},
        lambda outputs: {name: one for name, one in outputs.items() if name != "id_tag"},
        lambda outputs: outputs | {"more": outputs["key"]},
        lambda outputs: outputs | {"key": outputs["key"][:1]},
        lambda outputs: outputs | {"key": outputs["key"][:, :2]},
        lambda outputs: outputs | {"key": outputs["key"].astype(np.float64)},
        lambda outputs: outputs | {"id_tag": np.arange(len(outputs["key"]))},
        lambda outputs: outputs | {"id_tag": outputs["id_tag"][:0]},
        lambda outputs: outputs | {"id_tag": np.array([b"a", b"b", b"c", b"d"], object)},
        lambda outputs: outputs | {"id_tag": np.array([b"\xff"] * 4, object)},
        lambda outputs: outputs | {"id_tag": np.array([b""] * 4, object)},
    ],
)
def test_projections_of_another_form_are_refused_and_not_kept(change):
    client = RankingClient(Projecting(change), sizes=SIZES)
    with pytest.raises(UnexpectedAnswerError, match=CACHE):
        client.score_cached(REQUESTS)
    assert client._store.tag(CACHE) is None


def test_projections_that_the_model_itself_refuses_are_scored_by_ids():
    def infinite(outputs):
        return outputs | {"key": np.full_like(outputs["key"], np.inf)}

    client = RankingClient(Projecting(infinite), sizes=SIZES)
    for _ in range(2):
        assert client.score_cached(REQUESTS).signature == "score_request"
    assert client.counts()["fallbacks"] == 2


def test_garbage_from_redis_is_a_store_that_does_not_answer():
    rng = np.random.default_rng(0)
    whole = b"*2\r\n$3\r\nabc\r\n$2\r\nxy\r\n"
    replies = []
    for _ in range(60):
        reply = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            reply[rng.integers(len(reply))] = rng.integers(256)
        replies.append(bytes(reply[: rng.integers(1, len(reply) + 1)]))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            for reply in replies:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(reply)

        threading.Thread(target=answer, daemon=True).start()
        rows = projections(CACHE, np.arange(2))
        for number in range(len(replies)):
            store = RedisProjectionStore.connect(
                f"redis://127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=1
            )
            calls = [
                lambda store=store: store.tag("ids"),
                lambda store=store: store.get("ids", "a", np.arange(2)),
                lambda store=store: store.put("ids", "a", np.arange(2), rows),
                lambda store=store: store.drop("ids", "a"),
            ]
            with pytest.raises(ProjectionStoreError, match="Redis does not answer"):
                calls[number % len(calls)]()
            store._client.close()


class InTurn:
    """A stub of two servers, of versions 1 and 2, that answer in turn."""

    def __init__(self):
        self.calls = []

    def _answered(self, method, response):
        response.model_spec.version.value = 1 + len(self.calls) % 2
        self.calls.append((method, response.model_spec.version.value))
        return response

    def GetModelMetadata(self, request, timeout):  # noqa: N802  The service's name.
        return self._answered("describe", metadata())

    def Predict(self, request, timeout):  # noqa: N802
        return self._answered("score", scores())


def test_each_of_two_servers_is_asked_once_what_it_takes_and_both_score():
    """Where a request made one call of each kind, one server scored all and was never known."""
    with grpc.insecure_channel("localhost:1") as unused:
        model = RemoteModel(unused, "ctr")
        model._stub = InTurn()
        for _ in range(6):
            assert list(model.signatures()) == [names.SCORE_REQUEST]
            model.call(names.SCORE_REQUEST, {})
    described = [version for method, version in model._stub.calls if method == "describe"]
    scored = [version for method, version in model._stub.calls if method == "score"]
    assert sorted(set(described)) == [1, 2] and len(described) <= 3
    assert scored.count(1) == scored.count(2) == 3
