"""Input that a user must correct: a clear error before any output, on the command line too."""

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from tests import quick_python
from tests.conftest import REPOSITORY
from tests.pipeline.join import logs

ROWS = logs.random_rows(1, events=30)


def build(tmp_path, rows=None, table=None, **values):
    """Runs the join on rows or a table; an error must leave nothing behind."""
    log = tmp_path / "log"
    if table is not None:
        log.mkdir()
        pq.write_table(table, log / "part.parquet")
    elif rows is not None:
        logs.write_log(log, rows, files=1)
    values = {"events": str(log), "output": str(tmp_path / "out"), **values}
    try:
        return build_examples(JoinOptions.from_dict(values))
    finally:
        assert not (tmp_path / "out.building").exists()


def without(name):
    return [{key: value for key, value in row.items() if key != name} for row in ROWS]


def with_column(name, array):
    table = pa.Table.from_pylist(ROWS)
    return table.set_column(table.schema.get_field_index(name), name, array)


@pytest.mark.parametrize("name", ["user_id", "item_id", "timestamp", "click"])
def test_missing_column(tmp_path, name):
    with pytest.raises(UserInputError, match=rf"part-0.parquet' has no column '{name}', expected"):
        build(tmp_path, without(name))
    assert not (tmp_path / "out").exists()


def test_text_that_is_no_time(tmp_path):
    table = with_column("timestamp", pa.array([str(row["timestamp"]) for row in ROWS]))
    with pytest.raises(UserInputError, match="'timestamp is no ISO time from 1970 to 2200': 30"):
        build(tmp_path, table=table)


def test_string_where_a_number_is_due(tmp_path):
    name = "click"
    table = with_column(name, pa.array([str(row[name]) for row in ROWS]))
    with pytest.raises(UserInputError, match=rf"column '{name}' is string, expected .*Cast"):
        build(tmp_path, table=table)


def test_float_ids(tmp_path):
    table = with_column("user_id", pa.array([1.0] * len(ROWS)))
    with pytest.raises(UserInputError, match="'user_id' is double, expected int64 or string"):
        build(tmp_path, table=table)


def test_string_in_an_expression(tmp_path):
    table = with_column("rating", pa.array(["4"] * len(ROWS)))
    with pytest.raises(UserInputError, match="'rating', a string column, with 4"):
        build(tmp_path, table=table, behavior_rule="rating >= 4")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("behavior_rule", "bouhgt == 1"),
        ("behavior_type", ["click == 1", "bouhgt == 1"]),
        ("derive_label", ["liked = bouhgt == 1"]),
        ("label_events", ["liked = bouhgt == 1"]),
    ],
)
def test_a_column_that_is_not_there_is_named_with_its_flag(tmp_path, flag, value):
    with pytest.raises(UserInputError, match=rf"^--{flag}.* reads column 'bouhgt'") as error:
        build(tmp_path, ROWS, **{flag: value})
    assert "default" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "label", "needed"),
    [
        ({"labels": ["bought"]}, "bought", '--labels bought --behavior_rule "bought == 1"'),
        ({"derive_label": ["liked = bought == 1"]}, "liked", '--behavior_rule "liked == 1"'),
    ],
)
def test_the_default_behavior_rule_says_what_another_label_needs(tmp_path, options, label, needed):
    rows = [{name: value for name, value in row.items() if name != "click"} for row in ROWS]
    rows = [{**row, "bought": 1} for row in rows]
    with pytest.raises(UserInputError, match=r"^--behavior_rule: .*reads column 'click'") as error:
        build(tmp_path, rows, **options)
    assert f"is called {label} needs {needed}." in str(error.value)


def test_no_such_folder_and_empty_folder(tmp_path):
    with pytest.raises(UserInputError, match=r"--events: .* does not exist"):
        build(tmp_path)
    (tmp_path / "log").mkdir()
    with pytest.raises(UserInputError, match=r"--events: .* holds no data: it is empty"):
        build(tmp_path)


def test_no_rows(tmp_path):
    with pytest.raises(UserInputError, match="hold no row"):
        build(tmp_path, table=pa.Table.from_pylist(ROWS).slice(0, 0))


def test_file_that_is_not_parquet(tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "part.parquet").write_bytes(b"user_id,item_id\n1,2\n")
    with pytest.raises(UserInputError, match=r"part.parquet' is not a readable .parquet file"):
        build(tmp_path)


def test_file_with_a_good_footer_and_broken_data(tmp_path):
    folder = logs.write_log(tmp_path / "log", ROWS, files=1)
    path = tmp_path / "log" / "part-0.parquet"
    data = bytearray(path.read_bytes())
    data[4:200] = bytes(196)
    path.write_bytes(data)
    with pytest.raises(
        UserInputError,
        match=r"^--events: '.*part-0.parquet', row group 0, rows 0 to .*, cannot be read: ",
    ):
        build(tmp_path, events=folder)
    assert not (tmp_path / "out").exists()


def test_ids_of_two_kinds(tmp_path):
    numbers = {int(name.split("-")[1]): vector for name, vector in _vectors().items()}
    folder = logs.write_embeddings(tmp_path / "e", numbers)
    with pytest.raises(UserInputError, match=r"'item_id' is a string in .* an integer in"):
        build(tmp_path, ROWS, embeddings={"text": folder})


def test_embeddings_without_vectors(tmp_path):
    pq.write_table(pa.table({"item_id": ["a"], "vector": [1.0]}), tmp_path / "e.parquet")
    with pytest.raises(UserInputError, match=r"--embeddings text: .* no column 'embedding'"):
        build(tmp_path, ROWS, embeddings={"text": str(tmp_path / "e.parquet")})


def test_splits_that_hold_no_row(tmp_path):
    with pytest.raises(UserInputError, match="No request was written"):
        build(tmp_path, ROWS, splits="train:2030-01-01..")


def test_timestamps_after_all_calendars(tmp_path):
    rows = [dict(row, timestamp=row["timestamp"] * 100_000) for row in ROWS]
    with pytest.raises(UserInputError, match=r"30 of 30 rows are bad.*after 2200"):
        build(tmp_path, rows)


def test_item_feature_that_is_not_there(tmp_path):
    pq.write_table(pa.table({"item_id": ["a"], "genre": ["x"]}), tmp_path / "items.parquet")
    with pytest.raises(UserInputError, match=r"items.parquet' has no column 'genres'"):
        build(tmp_path, ROWS, items=str(tmp_path / "items.parquet"), item_features=["genres"])


@pytest.mark.parametrize("column", ["mask", "value", "embedding_text", "running_statistics"])
def test_item_columns_named_like_the_models_own_inputs(tmp_path, column):
    values = {"item_id": ["item-1"], "genre": ["x"], column: [1.5], "price": [2.0]}
    items = tmp_path / "items.parquet"
    pq.write_table(pa.table(values), items)
    with open(items, "r+b") as file:
        file.seek(4)
        file.write(b"\xff" * 40)  # Reading a value would fail: the names are enough.
    embeddings = {"text": logs.write_embeddings(tmp_path / "e", _vectors())}
    given = {"items": str(items), "embeddings": embeddings, "statistics": ["click"]}
    with pytest.raises(UserInputError) as caught:
        build(tmp_path, ROWS, **given)
    assert f"--items: the record or the model has inputs of its own named '{column}'" in str(
        caught.value
    )
    assert "--item_features=genre,price" in str(caught.value)


def test_a_context_column_that_users_have_too(tmp_path):
    users = tmp_path / "users.parquet"
    pq.write_table(pa.table({"user_id": ["user-1"], "rating": [3], "age": [30]}), users)
    with pytest.raises(UserInputError, match="--users has 'rating' and --context as well"):
        build(tmp_path, ROWS, users=str(users), context=["rating"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labels": ["click", "timestamp"]}, "--labels: the record or the model"),
        ({"derive_label": ["mask = rating > 2"]}, "named 'mask'"),
        ({"item_features": ["mask"]}, "--items: the record or the model"),
        ({"context": ["a", "a:numeric"]}, "--context has 'a' twice"),
        ({"history_length": 0}, "history_length"),
        ({"histroy_length": 5}, "histroy_length"),
        ({"timestamp_unit": "h"}, "timestamp_unit"),
        ({"split_fractions": [0.5, 0.1, 0.1]}, "add up to 1"),
        ({"splits": "train:..5", "split_fractions": [0.8, 0.1, 0.1]}, "not both"),
        ({"splits": "train:5..5"}, "is empty"),
        ({"splits": "train:..5,test:4.."}, "overlap"),
        ({"splits": "train"}, "not of the form"),
        ({"splits": "train:..yesterday"}, "neither a whole number of s nor a date"),
        ({"behavior_rule": "click = 1"}, "behavior_rule: .*cannot be parsed"),
        ({"behavior_type": ["click = 1"]}, "behavior_type: .*cannot be parsed"),
        ({"derive_label": ["rating >= 4"]}, "derive_label: .*name = expression"),
        ({"label_events": ["a = f(b)"]}, r"label_events: .*may not hold 'f\(b\)'"),
        ({"candidate_embeddings": ["text"]}, "candidate_embeddings names"),
    ],
)
def test_options_that_do_not_fit(tmp_path, values, message):
    with pytest.raises(UserInputError, match=message):
        build(tmp_path, ROWS, **values)


def run(*arguments):
    # As a user's shell has it, without what conftest.py sets for the tests.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    return subprocess.run(
        [sys.executable, "-m", "pipeline.build_examples", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_command_line_reports_without_a_traceback(tmp_path):
    logs.write_log(tmp_path / "log", without("click"), files=1)
    result = quick_python.run_job(
        "pipeline.build_examples", f"--events={tmp_path / 'log'}", f"--output={tmp_path / 'out'}"
    )
    assert result.returncode == 2
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: ") and "no column 'click'" in last
    assert "Traceback" not in result.stderr


def test_command_line_refuses_a_misspelled_flag(tmp_path):
    logs.write_log(tmp_path / "log", ROWS)
    flags = [f"--events={tmp_path / 'log'}", f"--output={tmp_path / 'out'}", "--histroy_length=5"]
    result = quick_python.run_job("pipeline.build_examples", *flags)
    assert result.returncode == 2
    assert "Unknown flags --histroy_length" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_command_line_without_a_required_flag():
    result = quick_python.run_job("pipeline.build_examples", "--events=log")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: Give --output, which this job requires")
    assert "Traceback" not in result.stderr


def test_command_line_publishes_and_says_so(tmp_path):
    logs.write_log(tmp_path / "log", ROWS)
    folder = logs.write_embeddings(tmp_path / "e", _vectors())
    result = run(
        f"--events={tmp_path / 'log'}",
        f"--output={tmp_path / 'out'}",
        f"--embeddings=text={folder}",
        "--runner=FnApiRunner",
        "--derive_label=liked = rating >= 4",
        "--split_fractions=0.5,0.25,0.25",
        "--candidate_embeddings=",
    )
    assert result.returncode == 0, result.stderr
    assert "Published" in result.stderr
    assert "WARNING" not in result.stderr
    assert len(result.stderr.splitlines()) < 15


def _vectors():
    return logs.random_embeddings(0, [f"item-{number}" for number in range(12)], 4)
