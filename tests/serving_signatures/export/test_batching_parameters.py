"""Each version says how its requests are joined; the sizes are those of its warm-up records."""

from pathlib import Path

import pytest
from google.protobuf import text_format

from pipeline.training_runs import run_config
from serving_signatures.export import batching_parameters, warmup
from tests.docker.test_serving_configuration import serving_message


def parse(folder: Path):
    text = (folder / "batching_params.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, serving_message("BatchingParameters")())


@pytest.mark.parametrize("sizes", [warmup.BATCH_SIZES, (1,), (16, 4)])
def test_the_sizes_are_as_the_server_wants_them(tmp_path, sizes):
    batching_parameters.write_parameters(str(tmp_path), sizes)
    parsed = parse(tmp_path)
    assert list(parsed.allowed_batch_sizes) == sorted(sizes)
    assert parsed.max_batch_size.value == max(sizes), "TensorFlow Serving loads no other version"
    assert parsed.max_enqueued_batches.value >= 1
    # Padding repeats a tensor's first value: a mask would come out wrong.
    assert not parsed.pad_variable_length_inputs


def test_an_export_has_them_beside_its_warmup_records(published):
    folder = Path(published.exported.folder)
    assert list(parse(folder).allowed_batch_sizes) == list(warmup.BATCH_SIZES)
    assert list(run_config.ExportConfig().batch_sizes) == list(warmup.BATCH_SIZES)
