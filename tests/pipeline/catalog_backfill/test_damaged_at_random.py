"""Caches with one random damage: refused, or the same rows; and healed by the next backfill.

`make test-slow PYTEST_ARGS="tests/pipeline/catalog_backfill/ -k random --kills=100"`: 3,000.
"""

import shutil

import numpy as np
import pytest

from features.errors import UserInputError
from pipeline.catalog_backfill.backfill import backfill
from serving_signatures.client.projection_cache import ProjectionCache
from serving_signatures.names import CACHES
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import TARGET
from tests.serving_signatures import serving

pytestmark = pytest.mark.slow(seconds=30)

ITEMS = 200
SMALL = {"rows_per_part": 60, "batch_size": 64, "min_coverage": 0}


@pytest.fixture(scope="module")
def places(plain, tmp_path_factory):
    """Two outputs, of two models, each with two versions of both caches; and their inputs."""
    folder = tmp_path_factory.mktemp("places")
    item_ids = projection_data.catalog(ITEMS)
    other = projection_data.save_model(folder / "other" / "1", serving.random_model(seed=5))
    runs = [(other, "b", [90, 100], 1), (plain.folder, "a", [ITEMS - 20, ITEMS], 0)]
    for model, name, counts, seed in runs:
        for count in counts:
            vectors = projection_data.vectors(item_ids[:count], seed=seed + count)
            data = projection_data.write(folder / f"{name}-{count}", item_ids[:count], vectors)
            backfill(model, data.items, str(folder / name), data.embeddings, **SMALL)
    return folder, data


def rows_of(output):
    """What a client gets of both caches: items, and their rows."""
    found = {}
    for cache in CACHES:
        opened = ProjectionCache.open(str(output), cache)
        _, rows = opened.lookup(opened.item_ids)
        found[cache] = (opened.version, opened.tag, opened.item_ids, rows)
    return found


def same(found, expected):
    return all(
        found[cache][:2] == expected[cache][:2]
        and np.array_equal(found[cache][2], expected[cache][2])
        and found[cache][3].keys() == expected[cache][3].keys()
        and all(
            np.array_equal(rows, expected[cache][3][name]) for name, rows in found[cache][3].items()
        )
        for cache in CACHES
    )


def byte_changed(rng, path, others):
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << rng.integers(8)
    path.write_bytes(content)


def bytes_changed(rng, path, others):
    content = bytearray(path.read_bytes())
    for place in rng.integers(len(content), size=8):
        content[place] = rng.integers(256)
    path.write_bytes(content)


def cut(rng, path, others):
    path.write_bytes(path.read_bytes()[: rng.integers(path.stat().st_size)])


def grown(rng, path, others):
    path.write_bytes(path.read_bytes() + rng.bytes(rng.integers(1, 50)))


def removed(rng, path, others):
    path.unlink()


def made_a_folder(rng, path, others):
    path.unlink()
    path.mkdir()


def replaced_by_another(rng, path, others):
    path.write_bytes(others[rng.integers(len(others))].read_bytes())


def swapped(rng, path, others):
    mine = [
        one for one in path.parents[2].rglob(f"*{path.suffix}") if one.is_file() and one != path
    ]
    other = mine[rng.integers(len(mine))]
    content = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(content)


DAMAGES = [
    byte_changed,
    byte_changed,
    bytes_changed,
    cut,
    grown,
    removed,
    made_a_folder,
    replaced_by_another,
    swapped,
]


@pytest.mark.guarantee("damaged", "backfill")
def test_one_random_damage_is_refused_or_harmless_and_a_backfill_heals_it(
    plain, places, tmp_path, kills
):
    folder, data = places
    rng = np.random.default_rng(20261128)
    expected = rows_of(folder / "a")
    older = {}
    for cache in CACHES:
        (folder / "a" / cache / "CURRENT").write_text("1\n")
        older[cache] = rows_of(folder / "a")[cache]
        (folder / "a" / cache / "CURRENT").write_text("2\n")
    strange = [path for path in (folder / "b").rglob("*") if path.is_file()]
    counts = {"refused": 0, "harmless": 0, "rolled back": 0, "healed": 0, "not healed": 0}
    for number in range(30 * kills):
        output = tmp_path / str(number)
        shutil.copytree(folder / "a", output)
        files = sorted(path for path in output.rglob("*") if path.is_file())
        path = files[rng.integers(len(files))]
        damage = DAMAGES[rng.integers(len(DAMAGES))]
        others = [one for one in strange if one.suffix == path.suffix]
        damage(rng, path, others)
        what = f"{number}: {damage.__name__} {path.relative_to(output)}"
        try:
            found = rows_of(output)
        except UserInputError as error:
            assert str(output) in str(error), what
            counts["refused"] += 1
        else:
            # A pointer with the number of another version is what people write to roll back.
            rolled = {
                cache: older[cache] if found[cache][0] == 1 else expected[cache] for cache in CACHES
            }
            counts["harmless" if same(found, expected) else "rolled back"] += 1
            assert same(found, rolled), what
            assert same(found, expected) or path.name == "CURRENT", what
        if number % 30 == 0:
            try:
                backfill(plain.folder, data.items, str(output), data.embeddings, **SMALL)
            except UserInputError as error:
                assert str(output) in str(error), what
                # What is computed can be computed again.
                assert path.parent.name != "parts" or damage is made_a_folder, what
                counts["not healed"] += 1
            else:
                counts["healed"] += 1
                for cache in CACHES:
                    outputs = projection_data.outputs(
                        plain.loaded, cache, data.item_ids, data.vectors
                    )
                    projection_data.assert_holds(output, cache, data.item_ids, outputs)
        shutil.rmtree(output)
    print(counts)
    assert counts["refused"] > counts["harmless"] > 0
    assert counts["healed"]
    assert expected[TARGET][0] == 2
