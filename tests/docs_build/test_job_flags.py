"""The flags of a job as a process of its own reports them."""

import pytest

from docs_build import job_flags, registry
from docs_build.tables import flags
from tests.conftest import REPOSITORY


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
    assert label.help.startswith("promote: its label")
    assert found["pipeline.models"]["export_dir"].required
    assert found["pipeline.models"]["server"].help.endswith("repeatable.")


def test_an_absent_module_is_an_error():
    with pytest.raises(RuntimeError, match=r"No module named 'pipeline\.absent'"):
        job_flags.of_jobs(("pipeline.absent",))


def test_a_table_of_flags():
    text = registry.render("flags.models", True)
    assert "| `--export_dir` | required | string |" in text
    assert "| `--label` | none | `stable`, `canary` |" in text


def test_every_job_has_a_table():
    jobs = [
        path.stem
        for path in (REPOSITORY / "pipeline").glob("*.py")
        if "def main(" in path.read_text(encoding="utf-8")
    ]
    assert sorted(flags.JOBS) == sorted(jobs)
