"""Outputs that cannot be written: one sentence, and the published version stays."""

import pytest

from tests import faults, quick_python
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import contents

pytestmark = pytest.mark.slow(seconds=40)

FULL = "no space is left on the disk"


@pytest.fixture
def run(plain, data, tmp_path):
    """A function that runs the job for one item more, and returns exit code and last line."""
    more = projection_data.write(tmp_path / "more", data.item_ids[1:])

    def run(output, *lines):
        done = quick_python.run_job(
            "pipeline.backfill",
            *(f"--saved_model={plain.folder}", f"--items={more.items}", f"--output={output}"),
            *(f"--embeddings={name}={folder}" for name, folder in more.embeddings.items()),
            *("--rows_per_part=150", "--batch_size=64"),
            env=faults.environment(*lines),
        )
        return done.returncode, done.stderr.splitlines()[-1]

    return run


@pytest.mark.guarantee("full disk", "backfill")
def test_a_full_disk_ends_with_a_sentence_and_the_next_run_goes_on(run, filled):
    before = contents(filled)
    with faults.small_disk(4) as disk:
        projection_data.copied(before, disk / "out")
        faults.fill(disk, 100_000)
        code, line = run(disk / "out")
        assert code == 2 and line.startswith("Error: ") and FULL in line
        now = contents(disk / "out")
        assert {name: now[name] for name in before} == before
        assert not [name for name in now if name.endswith((".tmp", ".npy"))]
        (disk / ".filler").unlink()
        assert run(disk / "out")[0] == 0
        assert run(filled)[0] == 0
        assert contents(disk / "out") == contents(filled)


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        ("ENOSPC before features.files.versions:publish", 2, FULL),
        (
            "EIO before features.files.versions:publish",
            75,
            "the disk, or the network to it, failed",
        ),
        ("EROFS before features.files.mapped_arrays:write_array", 2, "the disk can only be read"),
        ("EACCES before features.files.checked:sha256 3", 2, "permission denied"),
        (
            "EIO before features.files.checked:sha256 3",
            75,
            "the disk, or the network to it, failed",
        ),
    ],
)
def test_an_error_of_the_system_leaves_the_published_version(run, filled, fault, code, message):
    before = contents(filled)
    found, line = run(filled, fault)
    assert (found, line[:7]) == (code, "Error: ") and message in line
    now = contents(filled)
    assert {name: now[name] for name in before} == before


@pytest.mark.guarantee("no write", "backfill")
def test_an_output_on_a_disk_that_cannot_be_written_is_left_as_it_is(run, filled):
    before = contents(filled)
    with faults.read_only(filled.parent):
        code, line = run(filled)
    assert code == 2 and "the disk can only be read" in line
    assert contents(filled) == before


def test_a_link_to_an_output_is_that_output(plain, data, filled, tmp_path, run):
    link = tmp_path / "link"
    link.symlink_to(filled)
    assert run(link)[0] == 0
    assert link.is_symlink()
    assert (filled / "id_projections" / "CURRENT").read_text() == "2\n"
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    code, line = run(tmp_path / "dangling")
    assert code == 0 or line.startswith("Error: ")
