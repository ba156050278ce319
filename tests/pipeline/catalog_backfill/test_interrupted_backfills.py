"""A backfill that ends at any write leaves a whole version, and goes on with what it did."""

import pytest

from features.files import storage
from pipeline.catalog_backfill.backfill import backfill
from serving_signatures.names import CACHES
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import ID, SMALL, contents, published


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def stop_after(monkeypatch):
    """A function that lets so many more files be written, None for any number.

    Called again it returns how many were written since.
    """
    state = {"left": None, "written": 0}
    original = storage.OutputFile.__exit__

    def counted(self, kind, error, traceback):
        if state["left"] is not None and state["written"] >= state["left"]:
            original(self, KilledError, None, None)
            raise KilledError
        state["written"] += 1
        return original(self, kind, error, traceback)

    monkeypatch.setattr(storage.OutputFile, "__exit__", counted)

    def stop(left=None):
        written = state["written"]
        state.update(left=left, written=0)
        return written

    return stop


def killed(run, *arguments):
    with pytest.raises(BaseException) as ended:
        run(*arguments)
    assert "KilledError" in repr(ended.value)


@pytest.mark.guarantee("killed", "backfill")
def test_a_run_that_ends_at_any_write_leaves_a_whole_version(plain, data, tmp_path, stop_after):
    first = projection_data.write(tmp_path / "first", data.item_ids[:300])
    second = projection_data.write(tmp_path / "second", data.item_ids[:310])

    def run(data_set, output):
        more = {"rows_per_part": 200, "batch_size": 64, "verify_rows": 8}
        backfill(plain.folder, data_set.items, str(output), data_set.embeddings, **more)

    run(first, tmp_path / "whole")
    begun = contents(tmp_path / "whole")
    before = {cache: published(tmp_path / "whole", cache) for cache in CACHES}
    stop_after()
    run(second, tmp_path / "whole")
    writes = stop_after()
    after = {cache: published(tmp_path / "whole", cache) for cache in CACHES}
    assert writes > 10
    # Every fourth, and those of the two manifests and pointers.
    for moment in sorted({*range(0, writes, 4), *range(writes - 4, writes)}):
        output = tmp_path / f"out-{moment}"
        projection_data.copied(begun, output)
        stop_after(moment)
        killed(run, second, output)
        stop_after()
        for cache in CACHES:
            assert published(output, cache) in (before[cache], after[cache])
        run(second, output)
        assert contents(output) == contents(tmp_path / "whole")


def test_parts_that_a_killed_run_finished_are_not_computed_again(
    plain, data, filled, tmp_path, stop_after, computed
):
    output = tmp_path / "again"
    # Seven parts of the first cache need 21 arrays, of the second 35; each is a file and a note.
    stop_after(56 + 2 * 9)

    def run():
        backfill(plain.folder, data.items, str(output), data.embeddings, **SMALL)

    killed(run)
    stop_after()
    done = [len(list((output / cache / "parts").glob("*.parquet"))) for cache in CACHES]
    assert sum(done) >= 9
    assert not (output / ID / "CURRENT").exists()
    for seen in computed.values():
        seen.clear()
    run()
    # Workers compute whole parts; a sample is of less than 60 rows.
    again = [sum(count > 60 for count in computed[cache]) for cache in CACHES]
    assert sum(again) == 14 - 9
    assert contents(output) == contents(filled)
