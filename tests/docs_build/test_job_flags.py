"""The flags of a job as a process of its own reports them."""

import pytest

from docs_build import job_flags


@pytest.fixture(scope="module")
def found():
    return job_flags.of_jobs(("pipeline.simulate", "pipeline.models", "pipeline.runtime.quiet"))


def test_flags_of_jobs_are_apart(found):
    assert set(found) == {"pipeline.simulate", "pipeline.models"}
    assert "export_dir" not in found["pipeline.simulate"]
    assert found["pipeline.simulate"]["events"].default == "1000000"


def test_a_flag_is_described(found):
    label = found["pipeline.models"]["label"]
    assert label.choices == ("stable", "canary")
    assert label.help.startswith("Label that the version gets")
    assert found["pipeline.models"]["export_dir"].required
    assert found["pipeline.models"]["server"].help.endswith("with --label.")


def test_an_absent_module_is_an_error():
    with pytest.raises(RuntimeError, match=r"No module named 'pipeline\.absent'"):
        job_flags.of_jobs(("pipeline.absent",))
