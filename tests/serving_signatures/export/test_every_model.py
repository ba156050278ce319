"""Every model exports: its signatures agree, in a process without this project's code.

The four kinds that `tests.pipeline.training_runs.test_every_model` trains and exports from the
command line are left out here.
"""

import pytest

from models import factory
from serving_signatures.export.saved_model import export_saved_model
from tests import synthetic
from tests.models import test_model_zoo
from tests.pipeline.training_runs import test_every_model

WITHOUT_CONTENT = {"din", "id_only"}
OTHERS = sorted(factory.MODELS.keys() - set(test_every_model.MODELS))


@pytest.mark.slow(seconds=15)
@pytest.mark.parametrize("name", OTHERS)
def test_signatures_of_a_random_model_agree(name, tmp_path):
    model = test_model_zoo.random_model(name, conversion_label="conversion")
    vectors = {} if name in WITHOUT_CONTENT else synthetic.embedding_sets()
    exported = export_saved_model(model, str(tmp_path / "ctr"), vectors, (1,))
    assert exported.parity["max_abs_diff"] <= 1e-5
    assert len(exported.parity["signatures"]) == 2
