"""Several paths after one flag, as a shell writes them for `--events log/*.parquet`."""

import pytest
from absl import flags

from pipeline.runtime import entry_point
from tests import quick_python
from tests.pipeline.join import logs


def test_paths_after_a_flag_are_values_of_it(tmp_path):
    logs.write_log(tmp_path / "log", logs.random_rows(0), files=3)
    files = sorted((tmp_path / "log").iterdir())
    done = quick_python.run_job(
        "pipeline.build_examples",
        *("--partitions", "2", "--events", *files[:2], f"--output={tmp_path / 'out'}"),
        *(f"--events={files[2]}",),
    )
    assert done.returncode == 0, done.stderr
    assert "--events: 3 files; 120 rows." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--users", "a", "b", "--output", "c", "d"], "Give --events"),
        (["--events", "a", "--output"], "--output"),
    ],
)
def test_only_flags_of_paths_take_several(arguments, message):
    done = quick_python.run_job("pipeline.build_examples", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_given_flags_are_arguments_of_the_same_values(monkeypatch):
    """A value of several lines is one argument: `pipeline.runs --reproduce` prints it."""
    values = flags.FlagValues()
    flags.DEFINE_string("one", None, "", flag_values=values)
    flags.DEFINE_multi_string("several", [], "", flag_values=values)
    flags.DEFINE_bool("yes", False, "", flag_values=values)
    flags.DEFINE_bool("no", True, "", flag_values=values)
    flags.DEFINE_list("listed", [], "", flag_values=values)
    given = [
        *("--one=a\nb\u2028c=d", "--several=x\n--yes", "--several= y", "--yes", "--nono"),
        "--listed=a,b",
    ]
    values(["program", *given])
    monkeypatch.setattr(flags, "FLAGS", values)
    assert sorted(entry_point.given_flags()) == sorted(given)
    assert entry_point.given_flags(without=("one", "several", "listed")) == ["--nono", "--yes"]
