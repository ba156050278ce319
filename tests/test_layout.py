"""Holds the layout: the order of the folders, their size, and tests that mirror them."""

from pathlib import Path

import pytest

from tests import layout
from tests.conftest import REPOSITORY

SOURCES = layout.sources(*layout.PACKAGES)
MOST_MODULES = 20
MOST_LINES_OF_AN_ENTRY_POINT = 105

# Folders of tests that stand for no folder of the code.
OTHER_TESTS = {
    "tests",
    "tests/docker",  # docker/ holds no Python.
    "tests/quick_python_process",  # The processes of tests.quick_python.
    "tests/faults",  # What goes wrong around the code.
    "tests/examples",  # examples/ holds notebooks, and no package.
    "tests/docs",  # Nor does docs/.
    "tests/requirements",  # Nor does requirements/.
    "tests/pipeline/join/growing",  # What parts carry, through every room of the join.
    "tests/pipeline/remote",  # Jobs of every room on one S3 server.
}


def ids(path: Path) -> str:
    return layout.relative(path)


@pytest.mark.parametrize("package", layout.PACKAGES)
def test_every_package_has_sources(package):
    # Without this, a renamed folder would make the rules below hold of nothing.
    assert layout.sources(package)


@pytest.mark.parametrize("folder", [one for one in layout.ORDERS if one])
def test_every_room_of_an_order_exists(folder):
    place = REPOSITORY / folder.replace(".", "/")
    named = {child for group in layout.ORDERS[folder] for child in group} - {layout.MODULES}
    missing = [
        one for one in named if not (place / one).is_dir() and not (place / f"{one}.py").is_file()
    ]
    assert missing == []
    rooms = {one.name for one in place.iterdir() if (one / "__init__.py").is_file()}
    if folder == "pipeline.join":
        rooms |= {one.stem for one in place.glob("*.py")} - {"__init__"}
    assert rooms <= named, "a room without a place in the order may import anything"


@pytest.mark.parametrize("path", SOURCES, ids=ids)
def test_source_keeps_the_rules(path):
    assert layout.violations(ids(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=ids)
def test_folder_is_a_package(path):
    assert (path.parent / "__init__.py").is_file(), "the wheel would lack this folder"


def test_no_two_sibling_folders_import_each_other():
    assert layout.mutual_imports(layout.graph()) == []


def test_partition_reaches_no_beam():
    start = {name for name in layout.modules() if name.startswith("pipeline.join.partition.")}
    beam = [
        ids(path)
        for path in SOURCES
        if layout.module_name(ids(path)) in layout.reached(start)
        and "import apache_beam" in path.read_text(encoding="utf-8")
    ]
    assert beam == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("features/a.py", "import models", "features must not import models"),
        ("features/a.py", "from pipeline.run import main", "features must not import pipeline"),
        ("features/a.py", "from ..models import dmf", "features must not import models"),
        ("models/a.py", "import serving_signatures.tags", "must not import serving_signatures"),
        ("models/a.py", "def f():\n    import pipeline", "a.py:2: models must not import pipeline"),
        ("serving_signatures/a.py", "from pipeline import runtime", "must not import pipeline"),
        ("models/a.py", "import benchmarks.join", "models must not import benchmarks"),
        ("pipeline/a.py", "import benchmarks.join", "pipeline must not import benchmarks"),
        ("pipeline/a.py", "from tests import conftest", "pipeline must not import tests"),
        # Rooms of features.
        ("features/ids/a.py", "from features.embeddings import similarity", "features: "),
        ("features/schema.py", "from features.records import example", "features: "),
        # Rooms of models: inputs <- layers <- models <- evaluation <- training.
        ("models/inputs/a.py", "from models.layers import masking", "models: {inputs"[:8]),
        ("models/layers/a.py", "from models import dmf", "models: inputs <- {layers, losses}"),
        (
            "models/dmf.py",
            "from models.evaluation import metrics",
            "models: inputs <- {layers, losses}",
        ),
        (
            "models/evaluation/a.py",
            "import models.training.fit",
            "models: inputs <- {layers, losses}",
        ),
        # Rooms of serving_signatures: names <- {versions, client, signatures} <- export <- skew.
        ("serving_signatures/names.py", "from serving_signatures import tags", "names <- "),
        ("serving_signatures/client/a.py", "import serving_signatures.export", "names <- "),
        ("serving_signatures/versions/a.py", "import serving_signatures.export", "names <- "),
        ("serving_signatures/signatures.py", "import serving_signatures.skew", "names <- "),
        ("serving_signatures/export/a.py", "import serving_signatures.skew", "names <- "),
        # Rooms of pipeline.
        ("pipeline/runtime/a.py", "from pipeline.join import options", "pipeline: "),
        ("pipeline/report/a.py", "from pipeline.statistics import log", "pipeline: "),
        ("pipeline/embedding_sets/a.py", "import pipeline.join.options", "pipeline: "),
        ("pipeline/adapters/a.py", "import pipeline.join.options", "pipeline: "),
        ("pipeline/join/a.py", "import pipeline.statistics.log", "pipeline: "),
        ("pipeline/catalog_backfill/a.py", "import pipeline.training_runs", "pipeline: "),
        ("pipeline/statistics/a.py", "import pipeline.training_runs.run_config", "pipeline: "),
        ("pipeline/training_runs/a.py", "import pipeline.end_to_end.steps", "pipeline: "),
        ("pipeline/end_to_end/a.py", "from pipeline import train", "is an entry point"),
        ("pipeline/run.py", "from pipeline.export import main", "is an entry point"),
        # Rooms of the join.
        ("pipeline/join/rules/a.py", "from pipeline.join import options", "pipeline.join: "),
        ("pipeline/join/options.py", "import pipeline.join.inputs.event_log", "pipeline.join: "),
        ("pipeline/join/inputs/a.py", "from pipeline.join import planner", "pipeline.join: "),
        ("pipeline/join/planner.py", "from pipeline.join import plan", "pipeline.join: "),
        ("pipeline/join/transport/a.py", "import pipeline.join.partition", "pipeline.join: "),
        ("pipeline/join/partition/a.py", "import pipeline.join.read_events", "pipeline.join: "),
        ("pipeline/join/read_events.py", "import pipeline.join.transform", "pipeline.join: "),
        ("pipeline/join/transform.py", "import pipeline.join.parts", "pipeline.join: "),
        ("pipeline/join/parts.py", "import pipeline.join.job", "pipeline.join: "),
        ("pipeline/join/partition/a.py", "import apache_beam", "partition imports no Beam"),
        # Rooms of benchmarks.
        ("benchmarks/measuring/a.py", "import benchmarks.ranking_study", "benchmarks: measuring"),
        ("benchmarks/ranking_study/a.py", "import benchmarks.join", "benchmarks: measuring"),
        # Libraries, flags, assert.
        ("models/a.py", "import apache_beam as beam", "only pipeline may import apache_beam"),
        ("features/a.py", "from apache_beam.io import x", "only pipeline may import apache_beam"),
        ("models/a.py", "from absl import flags", "absl.flags belongs"),
        ("pipeline/a.py", "from absl import flags", "absl.flags belongs"),
        ("pipeline/sub/a.py", "import absl.flags\ndef main(): ...", "absl.flags belongs"),
        ("models/a.py", "def f(x):\n    assert x", "a.py:2: assert vanishes"),
        ("models/a.py", "tf.data.TFRecordDataset(x)", "a.py:1: features.records.record_files"),
        # Names of features.
        ("models/a.py", "x = batch['candidate_mask']", "features.schema.CANDIDATE_MASK"),
        ("pipeline/join/a.py", "x = f'similarity_{name}'", "a function of features.schema"),
    ],
)
def test_planted_violation_is_caught(path, source, expected):
    (found,) = layout.violations(path, source)
    assert expected in found
    assert found.startswith(f"{path}:")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("features/a.py", "from features import schema\nfrom . import in_graph\nimport numpy"),
        ("models/a.py", "from features.schema import Schema\nfrom absl import logging"),
        ("serving_signatures/a.py", "import models.dmf, features"),
        ("pipeline/join/a.py", "import apache_beam\nimport serving_signatures"),
        ("pipeline/a.py", "from absl import app, flags\ndef main(): ..."),
        ("pipeline/runtime/entry_point.py", "from absl import app, flags"),
        ("pipeline/join/flags.py", "from absl import flags"),
        ("features/a.py", "import modelsmith"),
        ("features/a.py", "'''About candidate_mask.'''"),
        ("benchmarks/a.py", "from pipeline import build_examples"),
    ],
)
def test_allowed_import_is_not_flagged(path, source):
    assert layout.violations(path, source) == []


def test_planted_mutual_import_is_caught():
    edges = {"a.x.one": frozenset({"a.y.two"}), "a.y.three": frozenset({"a.x.four"})}
    assert layout.mutual_imports(edges) == [("a.x", "a.y")]


# The folder of the commands is a list, which `pipeline.runtime.job_list` has in groups.
FOLDERS = sorted(
    {path.parent for path in layout.sources(*layout.PACKAGES, "tests")} - {REPOSITORY / "pipeline"}
)


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_no_folder_holds_more_modules_than_one_can_overlook(folder):
    modules = [one.name for one in folder.glob("*.py") if one.name != "__init__.py"]
    assert len(modules) <= MOST_MODULES


def test_pipeline_has_nothing_flat_but_entry_points():
    flat = [one for one in (REPOSITORY / "pipeline").glob("*.py") if one.name != "__init__.py"]
    assert [one.name for one in flat if "def main(" not in one.read_text(encoding="utf-8")] == []
    lines = {one.name: len(one.read_text(encoding="utf-8").splitlines()) for one in flat}
    assert {k: v for k, v in lines.items() if v > MOST_LINES_OF_AN_ENTRY_POINT} == {}


def test_tests_mirror_the_code():
    code = {ids(path.parent) for path in SOURCES}
    tests = {ids(path.parent) for path in layout.sources("tests")}
    assert sorted(tests - {f"tests/{folder}" for folder in code} - OTHER_TESTS) == []


@pytest.mark.parametrize("path", SOURCES, ids=ids)
def test_a_file_is_reached_by_the_tests_where_its_path_says(path):
    # Some test in the folder of the same path, or in the one above, imports the file, directly
    # or not. An entry point is run as a command; a package's own file is a table of contents.
    if path.name == "__init__.py" or "def main(" in path.read_text(encoding="utf-8"):
        return
    place = REPOSITORY / "tests" / path.parent.relative_to(REPOSITORY)
    found = layout.reached_by_tests(place) | layout.reached_by_tests(place.parent)
    assert layout.module_name(ids(path)) in found, f"no test in {ids(place)} or above reaches it"
