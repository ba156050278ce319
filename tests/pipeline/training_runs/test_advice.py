"""A simulated log whose content says nothing is told from one whose content does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features.embeddings import embedding_set
from models.evaluation import scoring
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.training import fit
from models.training.config import TrainingConfig
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from pipeline.simulation.settings import MarketplaceSettings
from pipeline.simulation.simulation import simulate
from pipeline.training_runs import advice

_OF_OTHERS = np.random.default_rng(0).permutation


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("advice") / "market"
    sizes = {"events": 40_000, "users": 400, "items": 1000, "modalities": {"text": 32}}
    simulate(str(folder), MarketplaceSettings.from_dict(sizes))
    return folder


def _advice(market: Path, name: str, order: Callable[[int], np.ndarray]) -> list[str]:
    """Trains on the log with vectors in another order, and returns the findings."""
    own = embedding_set.read_embedding_set(str(market / "embeddings" / "text"))
    vectors = own.quantized[:-1][order(len(own.item_ids))].astype(np.float32)
    embeddings = str(market.parent / name / "text")
    embedding_set.write_embedding_set(embeddings, own.item_ids, vectors, name, "1")
    options = {
        "events": str(market / "impressions"),
        "embeddings": {"text": embeddings},
        "output": str(market.parent / name / "examples"),
        "timestamp_unit": "ms",
        "partitions": 1,
    }
    build_examples(JoinOptions.from_dict(options))
    examples = ExampleSet.open(options["output"])
    config = ModelConfig(embedding_width=8, head_width=8, hidden=(16,))
    training = TrainingConfig(epochs=1, intra_op_threads=0)
    folder = str(market.parent / name / "model")
    model, _ = fit.train(examples, config, training, folder, {}, lambda: False)
    scored, counts = scoring.score(model, examples, "test"), scoring.train_counts(examples)
    return advice.measure(model, examples, "test", scored, counts, {})["findings"]


@pytest.mark.slow(seconds=30)
def test_content_that_users_follow_is_usable(market: Path) -> None:
    assert not any("no usable content" in one for one in _advice(market, "own", np.arange))


@pytest.mark.slow(seconds=30)
@pytest.mark.parametrize(
    ("name", "order", "reason"),
    [
        ("shuffled", _OF_OTHERS, "text vectors could as well be shuffled between the items"),
        ("constant", lambda count: np.zeros(count, int), "all text similarities are the same"),
    ],
    ids=["shuffled", "constant"],
)
def test_content_that_says_nothing_is_told(
    market: Path, name: str, order: Callable[[int], np.ndarray], reason: str
) -> None:
    first = _advice(market, name, order)[0]
    assert first.startswith(f"This log has no usable content: {reason}")
    assert first.endswith("Give other embeddings, or train model.name=id_only.")
