"""Preference is recovered from a log whose positions mislead."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import special

from features.schema import CANDIDATE_ITEM_ID, CANDIDATE_MASK
from models.evaluation import metrics
from models.inputs import input_pipeline
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.training import fit
from models.training.config import TrainingConfig
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from pipeline.simulation.marketplace import position_effect
from pipeline.simulation.settings import MarketplaceSettings
from pipeline.simulation.simulation import simulate

SETTINGS = MarketplaceSettings.from_dict(
    {
        "events": 60_000,
        "users": 600,
        "items": 200,
        "modalities": {"text": 16},
        "order": "price",
        "position_effect": 1.0,
        "content": "none",
        "cold_fraction": 0.0,
    }
)


def _preferences(market: Path) -> dict[tuple[int, int], float]:
    """Returns the logit of a click without the position's effect, by request and item."""
    truth = pq.read_table(market / "truth")
    probability = truth["click_probability"].to_numpy().astype(np.float64)
    places = pq.read_table(market / "impressions")["position"].to_numpy()
    logit = special.logit(probability) - position_effect(SETTINGS, places)
    pairs = zip(truth["request_id"].to_pylist(), truth["item_id"].to_pylist(), strict=True)
    return dict(zip(pairs, logit.tolist(), strict=True))


def _trained(market: Path, column: str | None) -> tuple[float, float, float]:
    """Returns the AUC against preferences and clicks, and calibration on validation."""
    options = {
        "events": str(market / "impressions"),
        "embeddings": {"text": str(market / "embeddings" / "text")},
        "output": str(market.parent / f"examples_{column}"),
        "timestamp_unit": "ms",
        "partitions": 1,
        "position_column": column,
    }
    build_examples(JoinOptions.from_dict(options))
    examples = ExampleSet.open(options["output"])
    config = ModelConfig(name="id_only", embedding_width=8, head_width=8, hidden=(16,))
    training = TrainingConfig(epochs=2, learning_rate=0.005)
    folder = str(market.parent / f"model_{column}")
    model, _ = fit.train(examples, config, training, folder, {}, lambda: False)
    preferences, found = _preferences(market), {}
    for split in ("test", "validation"):
        rows: list[np.ndarray] = []
        for batch in input_pipeline.evaluation_batches(examples, split):
            mask = batch[CANDIDATE_MASK].numpy()
            request = np.broadcast_to(batch["request_id"].numpy()[:, None], mask.shape)
            columns = (request, batch[CANDIDATE_ITEM_ID], model(batch), batch["click"])
            rows.append(np.stack([np.asarray(one, np.float64)[mask] for one in columns]))
        found[split] = np.concatenate(rows, axis=1)
    request, item, score, click = found["test"]
    pairs = zip(request.astype(int).tolist(), item.astype(int).tolist(), strict=True)
    likely = special.expit(np.array([preferences[one] for one in pairs]))
    # Each candidate counts as a positive and a negative, by its true probability.
    both = np.repeat([1.0, 0.0], len(likely)), np.tile(score, 2)
    preferred = metrics.auc(*both, np.concatenate([likely, 1 - likely]))
    predicted = special.expit(found["validation"][2]).sum() / found["validation"][3].sum()
    return preferred, metrics.auc(click, score), predicted


@pytest.mark.slow(seconds=60)
def test_with_positions_a_model_ranks_by_preference_and_stays_calibrated(tmp_path: Path) -> None:
    market = tmp_path / "market"
    simulate(str(market), SETTINGS)
    without, clicks_without, _ = _trained(market, None)
    preferred, clicks, calibration = _trained(market, "position")
    assert preferred > without + 0.015
    # Clicks follow positions too, so whoever learns these looks better on clicks.
    assert clicks < clicks_without
    assert calibration == pytest.approx(1, abs=1e-3)
