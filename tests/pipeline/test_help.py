"""The help of every job, and the list of all jobs."""

import importlib
import shlex

import pytest

from pipeline.runtime import help_text, job_list
from tests import job_help, job_processes
from tests.conftest import REPOSITORY

SLOW_TO_IMPORT = {"tensorflow", "apache_beam", "sklearn", "scipy", "grpc"}
ON_BEAM = ("backfill", "build_examples", "build_vocabulary")


def module(job):
    return importlib.import_module(f"pipeline.{job}")


@pytest.mark.parametrize("job", job_list.names())
def test_help_is_complete(job):
    assert job_help.faults(f"pipeline.{job}", module(job)) == []


@pytest.mark.parametrize("job", ON_BEAM)
def test_help_says_that_other_flags_go_to_beam(job):
    assert "Other flags go to Beam: --runner" in help_text.of_module(module(job))[0]


def test_help_is_printed_by_the_command_and_loads_no_large_library():
    jobs = job_list.names()
    outcomes = job_processes.run([[f"pipeline.{job}", "--help"] for job in jobs])
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert (outcome.code, outcome.stderr) == (0, ""), job
        assert outcome.stdout == help_text.of_module(module(job))[0] + "\n"
        assert SLOW_TO_IMPORT & set(outcome.modules) == set(), job


@pytest.mark.parametrize("flag", ["-h", "-?", "--helpshort", "--help"])
def test_every_way_to_ask_for_help(flag):
    (outcome,) = job_processes.run([["pipeline.train", flag]])
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith("Trains a model on joined examples.\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["pipeline.train", "--part=a"],
            "Give --examples, --model_dir, which this job requires. See --help.",
        ),
        (
            ["pipeline.train", "--parts=a"],
            "Unknown command line flag 'parts'. Did you mean: part ? See --help.",
        ),
        (
            ["pipeline.build_examples", "--history_length=many"],
            "flag --history_length=many: invalid literal for int() with base 10: 'many'. "
            "See --help.",
        ),
    ],
)
def test_wrong_flags_lead_to_the_help(arguments, expected):
    (outcome,) = job_processes.run([arguments])
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr == f"Error: {expected}\n"


def test_helpfull_lists_the_flags_of_the_libraries():
    (outcome,) = job_processes.run([["pipeline.train", "--helpfull"]])
    assert "--[no]only_check_args" in outcome.stdout
    assert "--verbosity" in outcome.stdout


def test_usual_commands_are_accepted():
    commands = [words for job in job_list.names() for words in job_help.commands(module(job))]
    checked = [[words[2], "--only_check_args", *words[3:]] for words in commands]
    preload = [*job_processes.SHARED, "apache_beam", "pipeline.runtime.beam_options"]
    for words, outcome in zip(commands, job_processes.run(checked, preload), strict=True):
        assert outcome.code == 0, f"{shlex.join(words)}: {outcome.stderr}"


def test_list_has_every_job_in_one_line():
    entry_points = {
        path.stem
        for path in (REPOSITORY / "pipeline").glob("*.py")
        if not path.stem.startswith("__")
    }
    assert sorted(job_list.names()) == sorted(entry_points)
    lines = job_list.describe().splitlines()
    assert max(map(len, lines)) <= help_text.WIDTH
    listed = [line.split() for line in lines if line.startswith("  ")]
    assert [words[0] for words in listed] == job_list.names()
    assert [" ".join(words[1:]) for words in listed] == [
        (module(job).__doc__ or "").partition("\n")[0] for job in job_list.names()
    ]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_package_lists_the_jobs(arguments):
    (outcome,) = job_processes.run([["pipeline", *arguments]])
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout == job_list.describe() + "\n"


def test_package_takes_no_job_as_an_argument():
    (outcome,) = job_processes.run([["pipeline", "train"]])
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "python -m pipeline.train" in outcome.stderr
