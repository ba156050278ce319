"""What a code host and an editor read: the citation, workflows, forms, hooks, the changelog."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from features.version import VERSION
from tests.conftest import REPOSITORY

FORMS = sorted((REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
WORKFLOW = REPOSITORY / ".github" / "workflows" / "ci.yml"
CITATION = REPOSITORY / "CITATION.cff"
# Where the version may stand besides its source: these are compared with it below.
DATED = {"features/version.py", "CHANGELOG.md", "CITATION.cff"}


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def check(schema: str, path: Path) -> subprocess.CompletedProcess:
    program = os.path.join(os.path.dirname(sys.executable), "check-jsonschema")
    command = [program, "--builtin-schema", schema, path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("schema", "path", "good", "bad"),
    [
        ("vendor.citation-file-format", CITATION, "cff-version: 1.2.0", "cff-version: 9"),
        ("vendor.github-workflows", WORKFLOW, "runs-on:", "runs_on:"),
        ("custom.github-workflows-require-timeout", WORKFLOW, "timeout-minutes: 180", ""),
        *[
            ("vendor.github-issue-config", path, "true", "3")
            if path.stem == "config"
            else ("vendor.github-issue-forms", path, "type: textarea", "type: area")
            for path in FORMS
        ],
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("vendor") else "",
)
def test_file_keeps_its_schema(schema, path, good, bad, tmp_path):
    valid = check(schema, path)
    assert valid.returncode == 0, valid.stdout
    text = path.read_text(encoding="utf-8")
    assert good in text
    planted = tmp_path / path.name
    planted.write_text(text.replace(good, bad, 1), encoding="utf-8")
    assert check(schema, planted).returncode == 1


def test_forms_ask_for_the_doctor():
    names = {path.stem for path in FORMS}
    assert names == {"bug", "config", "feature"}
    for name in names - {"config"}:
        assert "python -m pipeline.doctor --json" in read(f".github/ISSUE_TEMPLATE/{name}.yml")


def test_workflow_runs_what_a_laptop_runs():
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["ci"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    assert 'REQUIRE_SHARED="${REQUIRE_SHARED:-1}"' in read(".ci/run")


def test_hooks_are_local_and_run_what_the_environment_has():
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    assert not re.search(r"\w://", read(".pre-commit-config.yaml"))
    names = {hook["id"] for hook in repository["hooks"]}
    assert {"ruff-format", "ruff-check", "codespell", "mypy", "docs"} == names
    for hook in repository["hooks"]:
        program, *arguments = hook["entry"].split()
        assert program.startswith(".venv/bin/")
        assert (Path(sys.executable).parent / Path(program).name).is_file()
        if "-m" in arguments:
            module = arguments[arguments.index("-m") + 1]
            assert module == "mypy" or (REPOSITORY / module / "__main__.py").is_file()


def version_literals(name: str, text: str) -> list[str]:
    """Returns the places where a file writes the version itself, or an image of another one."""
    found = []
    own = re.compile(rf"(?<![\w.-]){re.escape(VERSION)}(?![\w-]|\.\w)")
    for number, line in enumerate(text.splitlines(), 1):
        shown = re.findall(r"(?:dmf-worker:|with code )(\d+\.\d+\.\d+)", line)
        outdated = not name.startswith("tests/") and set(shown) - {VERSION}
        if name.endswith(".md"):  # A document shows the image's name and what a job prints.
            line = re.sub(rf"(?:dmf-worker:|with code ){re.escape(VERSION)}", "", line)
        if outdated or own.search(line):
            found.append(f"{name}:{number}")
    return found


def test_the_version_is_written_in_one_place():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a checkout")
    names = {
        name
        for name in listed.stdout.splitlines()
        if name not in DATED
        and name.endswith(
            (".py", ".md", ".toml", ".yml", ".yaml", ".sh", ".cfg", ".xml", "Makefile")
        )
        and (REPOSITORY / name).is_file()
    }
    assert "setup.py" in names
    assert [place for name in sorted(names) for place in version_literals(name, read(name))] == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("setup.py", f'version="{VERSION}"', True),
        ("a.md", "dmf-worker:9.9.9", True),
        ("a.md", f"version {VERSION}.", True),
        ("a.md", "trained with code 9.9.9,", True),
        ("a.md", f"trained with code {VERSION},", False),
        ("a.md", f"dmf-worker:{VERSION} .", False),
        ("a.py", f"tool=={VERSION}.post1", False),
    ],
)
def test_planted_version_is_found(name, text, found):
    assert bool(version_literals(name, text)) == found


def test_changelog_and_citation_are_of_this_version():
    entries = re.findall(r"^## \[(.+)\](?: - (\S+))?$", read("CHANGELOG.md"), re.MULTILINE)
    assert entries[0] == ("Unreleased", "")
    citation = yaml.safe_load(read("CITATION.cff"))
    released = str(citation["date-released"])
    assert entries[1] == (VERSION, released)
    assert citation["version"] == VERSION
    assert any("2510.11066" in one["url"] for one in citation["references"])


def test_links_of_the_documents_exist():
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md", "examples/README.md"):
        folder = (REPOSITORY / name).parent
        for target in re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", read(name)):
            assert (folder / target).exists(), f"{name}: {target}"
