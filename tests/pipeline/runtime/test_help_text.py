"""`--help` of one job, made up here."""

import subprocess
import sys
import types

import pytest
from absl import flags

from pipeline.runtime import help_text
from pipeline.runtime.help_text import flag_group
from tests import job_help
from tests.conftest import REPOSITORY

DOC = r"""Folds maps.

It folds them twice.

Usual commands:

    python -m fold --maps maps/ --seconds 3
    python -m fold --maps maps/ \
        --way in

Left on disk: `folded/`.
"""


def define_flags() -> None:
    with flag_group("Inputs"):
        flags.DEFINE_string("maps", None, "`FOLDER` Maps, in GeoJSON.", required=True)
        flags.DEFINE_multi_string("legend", [], "`NAME=FILE` Legend of a map.")
    with flag_group("Way"):
        flags.DEFINE_enum("way", "in", ["in", "out"], "Where the edges go.")
        flags.DEFINE_float("seconds", 2, "`SECONDS` Time for one fold.", lower_bound=0)
        flags.DEFINE_list("edges", ["a", "b"], "`EDGE,...` Edges to fold. Default: the long ones.")
        flags.DEFINE_bool("dry_run", False, "Fold nothing.")


def job(doc=DOC, define=define_flags) -> types.ModuleType:
    module = types.ModuleType("fold", doc)
    module.define_flags = define
    return module


def with_flag(text, kind=flags.DEFINE_string, default=None, **arguments) -> types.ModuleType:
    def define() -> None:
        define_flags()
        with flag_group("More"):
            kind("more", default, help=text, **arguments)

    return job(define=define)


def test_purpose_commands_groups_and_what_is_left():
    text, _ = help_text.of_module(job())
    assert (
        text
        == r"""Folds maps.

It folds them twice.

Usual commands:

    python -m fold --maps maps/ --seconds 3
    python -m fold --maps maps/ \
        --way in

Inputs:
  --maps=FOLDER       Maps, in GeoJSON. Required.
  --legend=NAME=FILE  Legend of a map. Repeatable. Default: none.

Way:
  --way=in|out        Where the edges go. Default: in.
  --seconds=SECONDS   Time for one fold. Default: 2 seconds.
  --edges=EDGE,...    Edges to fold. Default: the long ones.
  --dry_run           Fold nothing. Default: off.

Left on disk: `folded/`.

Exit codes: 0 done; 2 the message says what to fix: input, flags, or a machine without room or
rights; 75 stopped after a checkpoint, or a disk that failed for a moment: the same command again; 1
a fault of the program, with a traceback.

Every job: --only_check_args checks the flags and runs nothing, --flagfile=FILE reads flags from a
file, one per line, --helpfull lists the flags of all libraries."""
    )


def test_no_flag_stays_defined():
    before = set(flags.FLAGS)
    help_text.of_module(job())
    help_text.of_module(job())
    assert set(flags.FLAGS) == before


def test_a_flag_without_a_group_is_refused_and_does_not_stay():
    before = set(flags.FLAGS)
    with pytest.raises(RuntimeError, match=r"\['stray'\] are in no group"):
        help_text.of_module(job(define=lambda: flags.DEFINE_bool("stray", False, "Strays.")))
    assert set(flags.FLAGS) == before


def test_long_names_stand_on_a_line_of_their_own():
    value = "`" + "VERY" * 10 + "` Long."
    text, _ = help_text.of_module(with_flag(value))
    assert f"  --more={'VERY' * 10}\n                      Long. Default: none." in text


def test_values_of_an_enum_that_has_a_type_are_in_the_text():
    text, _ = help_text.of_module(
        with_flag("`WAY` A way.", flags.DEFINE_enum, "a", enum_values=["a", "b"])
    )
    assert "  --more=WAY          A way. One of a, b. Default: a." in text


def test_a_job_without_a_docstring_still_lists_its_flags():
    text, _ = help_text.of_module(job(None))
    assert "Inputs:\n  --maps=FOLDER" in text
    assert help_text.COMMANDS not in text


def test_complete_help_has_no_fault():
    assert job_help.faults("fold", job()) == []


@pytest.mark.parametrize(
    ("faulty", "expected"),
    [
        (job(DOC.replace("Folds maps.\n\nIt folds them twice.\n\n", "")), "says the purpose"),
        (job(DOC.replace("Folds maps.", "Folds maps")), "says the purpose"),
        (job(DOC.replace("    python -m fold --maps maps/ --seconds 3\n", "")), "1 usual commands"),
        (job(DOC.replace("Usual commands:", "Commands:")), "0 usual commands"),
        (job(DOC.replace("--way in", "--ways in")), "['ways'] are no flags of the job"),
        (job(DOC.replace("-m fold --maps maps/ --s", "-m folds --maps maps/ --s")), "-m fold"),
        (job(DOC + "x " * 60), "columns: "),
        (job(DOC + "absl"), "noise of a library: 'absl'"),
        (job(define=lambda: flags.DEFINE_bool("stray", False, "Strays.")), "['stray'] are in no"),
        (job(define=lambda: None), "no group of flags"),
        (with_flag("No type."), "--more does not say what its value is"),
        (with_flag("`FILE` "), "--more: '' is no sentence"),
        (with_flag(""), "--more has no text"),
        (with_flag("`FILE` lower case."), "is no sentence"),
        (with_flag("`FILE` No point"), "is no sentence"),
        (with_flag("`FILE` W" + " w" * 20 + "."), "--more: 21 words, at most 20"),
    ],
)
def test_planted_fault_is_found(faulty, expected):
    assert any(expected in fault for fault in job_help.faults("fold", faulty))


def test_an_empty_group_is_found():
    def define() -> None:
        define_flags()
        with flag_group("Nothing"):
            pass

    assert job_help.faults("fold", job(define=define)) == ["group 'Nothing' is empty"]


def test_help_ends_quietly_when_its_reader_is_gone() -> None:
    command = f"set -o pipefail; '{sys.executable}' -m pipeline.runs --help | exec 0<&-"
    done = subprocess.run(
        ["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
