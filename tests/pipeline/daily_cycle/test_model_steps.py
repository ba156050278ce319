"""What the steps on the model do where no model is needed to see it."""

import types

import pytest

from features.errors import UserInputError
from pipeline.daily_cycle import model_steps
from pipeline.daily_cycle.config import CycleConfig
from pipeline.daily_cycle.cycle import LEDGER, PartRun
from pipeline.daily_cycle.ledger import Done, Ledger
from serving_signatures.request_logs.reading import NoRequestsError

PART = "2024-01-01"


@pytest.fixture
def run(tmp_path, monkeypatch) -> PartRun:
    """A part whose version 7 is stable."""
    labels = types.SimpleNamespace(labels=lambda: {"stable": 7, "canary": 8})
    monkeypatch.setattr(model_steps, "ModelVersions", lambda folder: labels)
    splits = {"splits": "train:..2030-01-01,test:2030-01-01.."}
    config = CycleConfig(work=str(tmp_path), events="log/{part}", embeddings={}, join=splits)
    return PartRun(config, PART, outcomes={"export": {"version": 7}})


def test_a_version_that_serves_is_not_compared_with_itself(run, caplog):
    """It stopped the part for good where a limit of the gate changed after the promotion."""
    assert model_steps.gate(run)["summary"] == "serves already"
    judged = {"version": 7, "champion": 6, "summary": "better", "notes": [], "scopes": [{}]}
    Ledger(run.folder(LEDGER), PART).write_done("gate", Done("key", judged, "now", 1.0))
    assert model_steps.gate(run) == judged
    Ledger(run.folder(LEDGER), PART).write_done("gate", Done("key", {"version": 5}, "now", 1.0))
    assert model_steps.gate(run)["champion"] == 7


def test_a_request_log_is_used_once_it_has_requests(caplog):
    calls = []

    def export_model(warmup_requests=()):
        calls.append(list(warmup_requests))
        if warmup_requests == ["empty"]:
            raise NoRequestsError("'empty' holds no *.tfrecord.")
        return len(calls)

    assert model_steps._warmed_up(export_model, "log") == 1
    assert model_steps._warmed_up(export_model, "empty") == 3
    assert model_steps._warmed_up(export_model, None) == 4
    assert calls == [["log"], ["empty"], [], []]


def test_another_version_is_judged(run):
    run.outcomes["export"] = {"version": 9}
    with pytest.raises(UserInputError, match="serving"):
        model_steps.gate(run)
