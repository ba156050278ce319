"""Jobs find out by themselves that shards are compressed, and give what they give of plain ones."""

import pathlib

import pytest

from models import factory
from models.evaluation import scoring
from models.inputs import record_check
from models.model_config import ModelConfig
from pipeline.statistics import records
from pipeline.vocabulary.job import build_vocabulary
from serving_signatures.skew import drawing
from tests import synthetic


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Equal data sets, plain and compressed."""
    folder = tmp_path_factory.mktemp("sets")
    return [
        synthetic.write_example_set(str(folder / extension), extension=extension)
        for extension in ("tfrecord", "tfrecord.gz")
    ]


def vocabulary(examples):
    output = f"{examples.folder}-vocabulary"
    build_vocabulary(examples.folder, output, 2)
    files = (pathlib.Path(output, name) for name in ("item_id.txt", "counts.tsv"))
    return [path.read_text() for path in files]


def evaluation(examples):
    config = ModelConfig(name="id_only", embedding_width=4, head_width=4, hidden=(8,))
    model = factory.build_model(config, examples.schema, examples.vocabulary())
    scored = scoring.score(model, examples, "test")
    coldness = scoring.slices(scored, scoring.train_counts(examples))["item_train_count"]
    return scored.item_id.tolist(), {name: one.tolist() for name, one in coldness.items()}


def drawn(examples):
    return [one.data for one in drawing.draw_records(examples.shards("test"), 20, 0)]


@pytest.mark.parametrize(
    "read",
    [
        vocabulary,
        evaluation,
        drawn,
        records.label_rates_by_time,
        lambda examples: record_check.non_finite_record(examples, "train"),
    ],
    ids=["vocabulary", "evaluate", "check_skew", "inspect_data", "record_check"],
)
def test_a_compressed_data_set_reads_as_the_plain_one(both, read):
    plain, compressed = map(read, both)
    assert plain == compressed
