"""A backfill that is killed at any moment leaves a whole version, and a rerun has the same bytes.

`make test-slow PYTEST_ARGS="tests/pipeline/catalog_backfill/ -k killed --kills=40"`: more kills.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from pipeline.catalog_backfill.backfill import backfill
from serving_signatures.client.projection_cache import ProjectionCache
from serving_signatures.names import CACHES
from tests.conftest import REPOSITORY
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import ID, contents, published
from tests.serving_signatures import serving

pytestmark = pytest.mark.slow(seconds=25)

ITEMS = 3000
POLL_SECONDS = 0.002


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A model, two catalogs and vectors for the larger."""
    folder = tmp_path_factory.mktemp("data")
    item_ids = projection_data.catalog(2 * ITEMS)
    projection_data.save_model(folder / "1", serving.random_model())
    for name, count in (("first", ITEMS), ("second", 2 * ITEMS)):
        projection_data.write_items(folder / f"{name}.parquet", item_ids[:count])
    projection_data.write_embeddings(folder, item_ids, projection_data.vectors(item_ids))
    return folder


def command(data, items, output, *more):
    return [
        *(sys.executable, "-m", "pipeline.backfill", f"--saved_model={data / '1'}"),
        *(f"--items={data / items}.parquet", f"--output={output}", "--rows_per_part=100"),
        "--min_coverage=0",  # The model knows few of these items.
        *(f"--embeddings={name}={data / name}" for name in ("text", "image")),
        *more,
    ]


def kill_when(arguments, output, files):
    """Kills a run once it has written so many files; returns whether it was still running."""
    job = subprocess.Popen(
        arguments, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    started = time.time()
    while job.poll() is None:
        if written(output, started) >= files:
            break
        time.sleep(POLL_SECONDS)
    job.send_signal(signal.SIGKILL)
    return job.wait() == -signal.SIGKILL


def written(output, started):
    """How many files were written after a time; those that are gone by now were not."""
    count = 0
    for folder, _, names in os.walk(output):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                count += os.stat(os.path.join(folder, name)).st_mtime > started
    return count


@pytest.mark.guarantee("killed", "backfill")
def test_killed_backfill_leaves_a_whole_version_and_runs_again(data, tmp_path, kills):
    def run(items, output):
        folders = {name: str(data / name) for name in ("text", "image")}
        model, path = str(data / "1"), str(data / f"{items}.parquet")
        backfill(model, path, str(output), folders, rows_per_part=100, min_coverage=0)

    whole = tmp_path / "whole" / "out"
    run("first", whole)
    begun = contents(whole)
    before = {cache: published(whole, cache) for cache in CACHES}
    run("second", whole)
    after = {cache: published(whole, cache) for cache in CACHES}
    rng, killed = np.random.default_rng(0), 0
    output = tmp_path / "cut" / "out"
    for _ in range(max(3, kills // 7)):
        # What one kill leaves the next run finds, unless it was done.
        if not output.exists() or published(output, ID) == after[ID]:
            shutil.rmtree(output, ignore_errors=True)
            for name, content in begun.items():
                (output / name).parent.mkdir(parents=True, exist_ok=True)
                (output / name).write_bytes(content)
        killed += kill_when(command(data, "second", output), output, int(rng.integers(0, 300)))
        for cache in CACHES:
            assert published(output, cache) in (before[cache], after[cache])
            assert len(ProjectionCache.open(str(output), cache)) in (ITEMS, 2 * ITEMS)
    assert killed
    run("second", output)
    assert contents(output) == contents(whole)
    assert [path.name for path in output.parent.iterdir()] == ["out"]
