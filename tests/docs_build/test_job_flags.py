"""The flags of a job as a process of its own reports them."""

import pytest

from docs_build import job_flags


@pytest.fixture(scope="module")
def found():
    return job_flags.of_jobs(("pipeline.simulate", "pipeline.models", "pipeline.runtime.quiet"))


def test_flags_of_jobs_are_apart(found):
    assert set(found) == {"pipeline.simulate", "pipeline.models"}
    assert "export_dir" not in found["pipeline.simulate"]
    assert {"events", "seed"} <= found["pipeline.simulate"]
    assert {"export_dir", "label"} <= found["pipeline.models"]


def test_an_absent_module_is_an_error():
    with pytest.raises(RuntimeError, match=r"No module named 'pipeline\.absent'"):
        job_flags.of_jobs(("pipeline.absent",))
