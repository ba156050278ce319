"""Tables of flags, the list of the jobs, and their help on a page."""

import pytest

from docs_build import registry
from docs_build.tables import jobs
from pipeline.runtime import help_text, job_list


def test_a_table_of_flags():
    text = registry.render("flags.models", True)
    assert "| `--export_dir=FOLDER` | required | The model's versions," in text
    assert r"| `--label=stable\|canary` | none, and it is served by number | Label that" in text
    assert "| `--server=HOST:PORT` | none; repeatable |" in text
    assert "| `--keep=COUNT` | `3` |" in text
    assert "| `--dry_run` | off |" in text


def test_lists_are_values_and_long_choices_stand_below():
    assert "| `--modalities=NAME:WIDTH,...` | `text:128,image:64` |" in registry.render(
        "flags.simulate", True
    )
    text = registry.render("flags.submit", True)
    assert "- `--job`: One of backfill, build_examples," in text
    assert "| `--target=local" in text


@pytest.mark.parametrize("job", job_list.names())
def test_every_job_has_its_tables(job):
    flags, shown = (registry.render(f"{kind}.{job}", True) for kind in ("flags", "help"))
    assert "| flag | default | meaning |" in flags
    assert shown.startswith("```text\n")
    assert shown.count("```") == 2
    assert max(map(len, shown.splitlines())) <= help_text.WIDTH


def test_the_list_has_every_job_in_order_and_the_page_that_explains_it():
    assert list(jobs.PAGES) == job_list.names()
    rows = registry.render("jobs.list", True).splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == job_list.names()
    assert rows[0] == (
        "| First look | [`doctor`](#doctor) | Checks the environment, the machine and folders, "
        "with remedies. | [troubleshooting](troubleshooting.md) |"
    )
