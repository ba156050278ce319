"""From a client's request over its log to the skew check: sent, logged and replayed alike."""

import logging

import numpy as np
import pytest

from pipeline.local_serving import services
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.remote_model import RemoteModel
from serving_signatures.request_logs import logged_call, reading
from serving_signatures.request_logs.redaction import Redaction
from serving_signatures.request_logs.request_log import RequestLog
from serving_signatures.skew import check as skew_check
from serving_signatures.skew import drawing
from tests.serving_signatures import serving
from tests.serving_signatures.client import local_server

KEY = b"0123456789abcdef"


class Recording(RemoteModel):
    """Keeps what it sends to the scoring signatures, which have a log."""

    def call(self, signature, inputs, version=None, log=None):
        if log is not None:
            self.sent = [*getattr(self, "sent", ()), (signature, inputs)]
        return super().call(signature, inputs, version, log)


@pytest.fixture
def serve(published, addresses, tmp_path):
    """Returns a function that scores through a client with a log, and returns both."""

    def scored(redaction=None):
        log = RequestLog(str(tmp_path / "log"), rate=1, redaction=redaction)
        with local_server.channel_to(addresses[published.tables_inside]) as channel, log:
            model = Recording(channel, local_server.NAME)
            client = RankingClient(model, sizes=local_server.SIZES, log=log)
            answers = []
            for shape in ((1, 3, 5), (2, 7, 9)):
                sample = serving.requests(shape, published.embeddings, seed=5)
                requests = local_server.ranking_requests(sample, published.tables_inside)
                answers += [client.score_request(requests), client.score_cached(requests)]
        return client, model, answers

    return scored


def check(published, folder):
    requests = [str(folder)]
    tally, found = skew_check.check(published.version, None, "test", requests, {}, 100, 0)
    return tally, {one.feature: one for one in tally.worst_first()}, found["requests"]


def test_what_is_logged_is_what_was_sent_and_answered(published, serve, tmp_path):
    client, model, answers = serve()
    assert client.counts()["log.written"] == 4
    calls, left_out = drawing.draw_calls([str(tmp_path / "log")], 100, 0)
    assert left_out == {}
    assert len(calls) == len(model.sent) == 4
    for call, (signature, inputs), answer in zip(calls, model.sent, answers, strict=True):
        assert (call.model, call.signature, call.version) == (local_server.NAME, signature, "1")
        assert answer.signature == signature
        assert call.inputs.keys() == inputs.keys()
        for name, value in inputs.items():
            np.testing.assert_array_equal(call.inputs[name], value)
            assert call.inputs[name].dtype == value.dtype
        rows = answer.probabilities["click"]
        for row, scores in zip(call.outputs["click"], rows, strict=True):
            np.testing.assert_array_equal(row[: len(scores)], scores)
    tally, compared, found = check(published, tmp_path / "log")
    assert not tally.skew
    assert found == {"replayed": 4, "left_out": {}, "versions": ["1"]}
    assert compared["score_request:click"].compared > 0
    assert compared["score_cached:click"].compared > 0


@pytest.mark.parametrize("how", ["constant", "hashed"])
def test_what_was_redacted_is_nowhere_and_is_not_compared(published, serve, tmp_path, how, caplog):
    names = ["history_item_id", "user_id"]
    _, model, _ = serve(Redaction(**{how: names, "key": KEY}))
    (path,) = reading.files([str(tmp_path / "log")])
    with open(path, "rb") as file:
        data = file.read()
    by_ids = [inputs for signature, inputs in model.sent if signature == "score_request"]
    history, candidates = (
        np.concatenate([one[f"{side}_item_id"].reshape(-1) for one in by_ids])
        for side in ("history", "candidate")
    )
    alone = np.setdiff1d(history, candidates)
    assert len(alone) > 5
    for item in alone.tolist():
        assert int(item).to_bytes(8, "little", signed=True) not in data
    with caplog.at_level(logging.WARNING):
        tally, compared, found = check(published, tmp_path / "log")
    assert not tally.skew
    redacted = found["redacted"]
    assert "history_item_id" in redacted
    assert "history_key" in redacted
    assert "candidate_item_id" not in redacted
    # Of projections, or of ids.
    first = ("history_attention_content", "history_id_embedding", "history_item_id")
    assert any(f"The log has no values of {name}" in caplog.text for name in first)
    assert "4 of 4 requests" in caplog.text
    assert compared["score_request:click"].compared == 0
    assert compared["score_request:click"].set_apart > 0
    assert compared["score_request:mask"].compared > 0


def test_redacted_ids_of_users_and_requests_leave_scores_comparable(
    with_tables, served_folders, tmp_path
):
    sample = serving.requests((2, 3, 4), with_tables.embeddings, seed=1)
    redaction = Redaction(["user_id", "request_id"])
    log = RequestLog(str(tmp_path / "log"), rate=1, redaction=redaction)
    with local_server.opened(served_folders[True], local_server.load_once) as model:
        server = services.grpc_server(model, 2, log)
        port = server.add_insecure_port("localhost:0")
        server.start()
        with local_server.channel_to(f"localhost:{port}") as channel:
            answer = RemoteModel(channel, "ctr").call(
                "serving_default", {"examples": sample["examples"]}
            )
            RemoteModel(channel, "ctr").call("id_projections", {"item_ids": np.arange(3)})
        server.stop(None).wait()
        log.close()
    assert log.counts() == {"log.written": 1}
    ((call,), _) = drawing.draw_calls([str(tmp_path / "log")], 10, 0)
    np.testing.assert_array_equal(call.outputs["click"], answer.outputs["click"])
    records = [data for _, data in logged_call.sent_records(call)]
    assert records != sample["examples"].tolist()
    tally, compared, found = check(with_tables, tmp_path / "log")
    assert not tally.skew
    assert found["redacted"] == ["request_id", "user_id"]
    assert compared["serving_default:click"].compared == 6
    assert compared["score:click"].compared > 0
