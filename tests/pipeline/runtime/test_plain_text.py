"""Text of files and flags neither acts on a terminal nor runs in a shell."""

import random
import re
import subprocess

import pytest

from features.errors import UserInputError
from pipeline.runtime import plain_text, shell_text
from tests import quick_python
from tests.conftest import REPOSITORY
from tests.pipeline.hostile_text import HIDDEN, TEXTS, drawn
from tests.pipeline.training_runs.trained_runs import write_run


@pytest.mark.parametrize("text", HIDDEN)
def test_hidden_characters_are_seen_and_do_nothing(text, capsys):
    shown = plain_text.escaped(text)
    assert shown.isascii() and "\\" in shown
    plain_text.say(f"a\n\t{text}")
    assert capsys.readouterr().out == f"a\n\t{shown}\n"
    with pytest.raises(UserInputError, match=r"The flag .*has the character '\\"):
        plain_text.check(text, "The flag")


def test_letters_of_any_script_stay():
    text = "é 日本語 😀 שלום \u200d"
    assert plain_text.escaped(text) == text == plain_text.check(text, "The flag")


@pytest.mark.parametrize("name", ["A;touch x;B", "", "1A", "A B", "A\n", "é", "-e"])
def test_what_is_no_name_of_a_variable_is_refused(name):
    with pytest.raises(UserInputError, match="The environment variable"):
        shell_text.command(["true"], {name: "x"})


@pytest.mark.parametrize("seed", range(3))
def test_a_comment_is_one_line_that_runs_nothing(seed, tmp_path):
    choice = random.Random(seed)
    texts = [*TEXTS, *HIDDEN, *drawn(100, seed)]
    endings = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\\\n")
    lines = [f"{text}{choice.choice(endings)}touch {tmp_path}/ran" for text in texts]
    script = "\n".join(map(shell_text.comment, lines))
    assert script.count("\n") == len(lines) - 1
    subprocess.run(["sh", "-c", script], check=True)
    assert not list(tmp_path.iterdir())
    shell_text.check(script, [])


def test_a_script_that_reads_otherwise_is_refused():
    with pytest.raises(UserInputError, match="A shell would read"):
        shell_text.check("# a\ntouch b", [])


def test_names_of_files_cannot_act_on_the_terminal(tmp_path):
    escape = "\x1b]0;a\x07\x1b[2J\u202e"
    run = write_run(tmp_path / f"runs/{escape}")
    (write_run(tmp_path / f"runs/damaged{escape}") / "run.json").write_text(f'"{escape}')
    for flags in ((), (f"--reproduce={escape}",), (f"--compare={run.name},{escape}",), (escape,)):
        done = quick_python.run_job("pipeline.runs", f"--folder={tmp_path}/runs", *flags)
        assert done.returncode == (2 if flags else 0)
        assert r"\x1b]0;a\x07\x1b[2J\u202e" in done.stdout + done.stderr
        assert not plain_text._HIDDEN.search((done.stdout + done.stderr).replace("\n", ""))


def test_jobs_print_with_say():
    # A script and JSON for a program are printed as they are.
    exact = {"__main__.py", "convert.py", "evaluate.py", "runs.py"}
    printing = {
        path.name
        for path in (REPOSITORY / "pipeline").glob("*.py")
        if re.search(r"(?<![.\w])print\(", path.read_text(encoding="utf-8"))
    }
    assert printing == exact
