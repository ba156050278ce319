"""Backfills that are killed, whose disk fills up or whose inputs change, at random moments.

`make test-slow PYTEST_ARGS="tests/pipeline/catalog_backfill/ -k fault_at --kills=200"`: 200.
"""

import shutil
import subprocess

import numpy as np
import pytest

from pipeline.catalog_backfill.backfill import backfill
from serving_signatures.client.projection_cache import ProjectionCache
from serving_signatures.names import CACHES
from tests import faults, quick_python
from tests.conftest import REPOSITORY
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import contents, published
from tests.serving_signatures import serving

pytestmark = pytest.mark.slow(seconds=90)

ITEMS = 300
WRITES = 80
"""About how many files a run writes."""

WRITTEN = "features.files.storage:OutputFile.__exit__"
VARIABLES = "variables/variables.data-00000-of-00001"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A model, two catalogs, vectors; and others, which replace them."""
    folder = tmp_path_factory.mktemp("data")
    item_ids = projection_data.catalog(2 * ITEMS)
    for name, seed in (("1", 0), ("2", 5)):
        projection_data.save_model(folder / name, serving.random_model(seed=seed))
    for name, ids in (("first", item_ids[:ITEMS]), ("second", item_ids), ("other", item_ids + 1)):
        projection_data.write_items(folder / f"{name}.parquet", ids)
    projection_data.write_embeddings(folder, item_ids, projection_data.vectors(item_ids))
    others = projection_data.vectors(item_ids, seed=7)
    projection_data.write_embeddings(folder / "others", item_ids, others)
    return folder


def arguments(data, items, output):
    return [
        *(f"--saved_model={data / '1'}", f"--items={data / items}.parquet", f"--output={output}"),
        *(f"--embeddings={name}={data / name}" for name in ("text", "image")),
        *("--rows_per_part=100", "--min_coverage=0"),
    ]


def draw(rng, inputs, folder):
    """Returns a fault, as a line of `faults.environment`, or None for a disk that fills up."""
    number = rng.integers(1, WRITES)
    when = ("before", "after")[rng.integers(2)]
    replaced = {
        "second.parquet": "other.parquet",
        "text/part-00000.parquet": "others/text/part-00000.parquet",
        f"1/{VARIABLES}": f"2/{VARIABLES}",
        "1": "2",
    }
    target = list(replaced)[rng.integers(len(replaced))]
    swap = (inputs / target, folder / replaced[target])
    return [
        ("kill", when, WRITTEN, number),
        ("kill", when, "os:replace", number),
        ("kill", when, "os:fsync", rng.integers(1, 40)),
        ("ENOSPC", "before", "os:fsync", f"{rng.integers(1, 40)}+"),
        ("EIO", "before", "os:replace", number),
        ("replace", when, WRITTEN, number, "*", *swap),
        ("replace", "after", "features.tables.table:open_table", rng.integers(1, 4), "*", *swap),
        None,
    ][rng.integers(8)]


@pytest.mark.guarantee("killed", "backfill")
@pytest.mark.guarantee("full disk", "backfill")
def test_a_fault_at_any_moment_leaves_whole_versions_and_a_rerun_ends_alike(data, tmp_path, kills):
    def run(items, output):
        folders = {name: str(data / name) for name in ("text", "image")}
        model, path = str(data / "1"), str(data / f"{items}.parquet")
        backfill(model, path, str(output), folders, rows_per_part=100, min_coverage=0)

    whole = tmp_path / "whole"
    run("first", whole)
    begun = contents(whole)
    before = {cache: published(whole, cache) for cache in CACHES}
    run("second", whole)
    after = {cache: published(whole, cache) for cache in CACHES}
    rng = np.random.default_rng(20261128)
    codes = {}
    command = [quick_python.executable(), "-m", "pipeline.backfill"]
    with faults.small_disk(8) as disk:
        for number in range(kills):
            inputs = shutil.copytree(data, tmp_path / f"inputs-{number}")
            output = disk / "out"
            projection_data.copied(begun, output)
            fault = draw(rng, inputs, data)
            if fault is None:
                faults.fill(disk, int(rng.integers(0, 900_000)))
            done = subprocess.run(
                [*command, *arguments(inputs, "second", output)],
                cwd=REPOSITORY,
                env=faults.environment(*([] if fault is None else [fault])),
                capture_output=True,
                text=True,
                check=False,
            )
            what = f"{number}: {fault}, {done.returncode}: {done.stderr[-1500:]}"
            kind = "full disk" if fault is None else fault[0]
            codes.setdefault(kind, []).append(done.returncode)
            assert done.returncode in (0, 2, 75, -9), what
            if done.returncode in (2, 75):
                # Beam logs what a worker raised; the last line is for the user.
                assert done.stderr.splitlines()[-1].startswith("Error: "), what
            for cache in CACHES:
                assert published(output, cache) in (before[cache], after[cache]), what
                assert len(ProjectionCache.open(str(output), cache)) in (ITEMS, 2 * ITEMS), what
            if done.returncode == 0:
                assert contents(output) == contents(whole), what
            faults.fill(disk, 8 << 20)
            (disk / ".filler").unlink()
            run("second", output)
            assert contents(output) == contents(whole), what
            shutil.rmtree(output)
            shutil.rmtree(inputs)
    print({kind: {code: found.count(code) for code in set(found)} for kind, found in codes.items()})
