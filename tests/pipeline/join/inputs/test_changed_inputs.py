"""An input that changes while a job reads it: exit code 2, the file's name, nothing published."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from pipeline.join.inputs import join_inputs
from tests import faults, quick_python
from tests.pipeline.join import joins, logs

ITEMS = [f"item-{number}" for number in range(12)]


def _write(folder: Path, seed: int) -> dict[str, Path]:
    """Writes all inputs that a join can have; returns the file of each that is to change."""
    rows = logs.random_rows(seed)
    logs.write_log(folder / "log", rows)
    clicks = [{name: row[name] for name in ("user_id", "item_id", "timestamp")} for row in rows]
    logs.write_log(folder / "orders", clicks[::5], files=1)
    logs.write_embeddings(folder / "text", logs.random_embeddings(seed, ITEMS, 4))
    users = [f"user-{number}" for number in range(5)]
    tables = {
        "items": {"item_id": ITEMS, "price": [float(seed + n) for n in range(12)]},
        "users": {"user_id": users, "age": [float(seed + n) for n in range(5)]},
        "histories": {"user_id": users, "item_id": [ITEMS[: seed + 1]] * 5},
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return {
        "events": folder / "log" / "part-1.parquet",
        "label_logs order": folder / "orders" / "part-0.parquet",
        "embeddings text": folder / "text" / "part.parquet",
        **{name: folder / f"{name}.parquet" for name in tables},
    }


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    for name in ("now", "later"):
        (tmp_path / name).mkdir()
    _write(tmp_path / "later", 1)
    return _write(tmp_path / "now", 0)


def _flags(folder: Path) -> list[str]:
    return [
        *(f"--events={folder / 'log'}", f"--label_logs=order={folder / 'orders'}"),
        *(f"--embeddings=text={folder / 'text'}", f"--items={folder / 'items.parquet'}"),
        *(f"--users={folder / 'users.parquet'}", "--labels=click,order", "--min_coverage=0"),
        *(f"--histories={folder / 'histories.parquet'}", "--partitions=2"),
    ]


def test_each_input_is_compared(inputs: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "now"
    options = joins.options(
        folder / "log",
        tmp_path / "out",
        label_logs={"order": str(folder / "orders")},
        labels=["click", "order"],
        embeddings={"text": str(folder / "text")},
        **{name: str(inputs[name]) for name in ("items", "users", "histories")},
    )
    for flag, path in inputs.items():
        opened = join_inputs.open_inputs(options)
        with opened.unchanged():
            pass
        with (
            pytest.raises(UserInputError, match=rf"--{flag}: .*{path.name}' changed while it was"),
            opened.unchanged(),
        ):
            shutil.copyfile(tmp_path / "later" / path.relative_to(folder), path)


@pytest.mark.parametrize("strategy", ["broadcast", "shuffle"])
@pytest.mark.parametrize("flag", ["events", "embeddings text"])
@pytest.mark.guarantee("replaced", "build_examples")
def test_a_join_whose_input_is_replaced(
    inputs: dict[str, Path], tmp_path: Path, flag: str, strategy: str
) -> None:
    path = inputs[flag]
    other = tmp_path / "later" / path.relative_to(tmp_path / "now")
    point = "pipeline.join.inputs.join_inputs:open_inputs"
    done = quick_python.run_job(
        "pipeline.build_examples",
        *_flags(tmp_path / "now"),
        f"--embedding_strategy={strategy}",
        f"--output={tmp_path / 'out'}",
        env=faults.environment(("replace", "after", point, 1, "*", path, other)),
    )
    assert done.returncode == 2, done.stderr
    *_, last = done.stderr.splitlines()
    assert last.startswith(f"Error: --{flag}: '{path}' changed while it was read")
    assert last.endswith("Nothing was published.")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["later", "now"]


@pytest.mark.parametrize("flag", ["events", "embeddings text"])
@pytest.mark.guarantee("replaced", "inspect_data")
def test_statistics_of_what_is_replaced(inputs: dict[str, Path], tmp_path: Path, flag: str) -> None:
    path = inputs[flag]
    other = tmp_path / "later" / path.relative_to(tmp_path / "now")
    point = "pipeline.statistics.assessment:check_renames_used"
    done = quick_python.run_job(
        "pipeline.inspect_data",
        *(f"--events={tmp_path / 'now/log'}", f"--embeddings=text={tmp_path / 'now/text'}"),
        f"--output={tmp_path / 'out'}",
        env=faults.environment(("replace", "before", point, 1, "*", path, other)),
    )
    assert done.returncode == 2, done.stderr
    assert f"Error: --{flag}: '{path}' changed while it was read" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.guarantee("replaced", "ingest_embeddings")
def test_an_ingestion_whose_delivery_is_replaced(inputs: dict[str, Path], tmp_path: Path) -> None:
    path = inputs["embeddings text"]
    point = "features.embeddings.embedding_files:open_files"
    other = tmp_path / "later" / path.relative_to(tmp_path / "now")
    done = quick_python.run_job(
        "pipeline.ingest_embeddings",
        *(f"--vectors={path}", f"--output={tmp_path / 'set'}"),
        *("--encoder=e", "--encoder_version=1", "--max_bad_fraction=0.2"),
        env=faults.environment(("replace", "after", point, 1, "*", path, other)),
    )
    assert done.returncode == 2, done.stderr
    assert f"Error: --vectors: '{path}' changed while it was read" in done.stderr
    assert not (tmp_path / "set" / "CURRENT").exists()
