"""Files that differ are one table, or are refused by the name of what differs."""

import datetime
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from features.tables import kinds, names
from features.tables.options import TableOptions
from features.tables.renames import check_renames_used
from features.tables.table import open_table


def write(folder, **files):
    """Writes tables by file name, in folders where a name has `__`."""
    for name, table in files.items():
        path = folder / f"{name.replace('__', '/')}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(table) if isinstance(table, dict) else table, path)
    return str(folder)


def read(location, *columns, **options):
    is_log = options.pop("is_log", False)
    table = open_table(location, "items", TableOptions(**options), is_log=is_log)
    # As a worker gets it.
    table = pickle.loads(pickle.dumps(table))
    return table.read(columns or table.names).to_pydict()


def test_files_that_differ_harmlessly_are_one_table(tmp_path):
    one = {"item_id": pa.array([1, 2], pa.int32()), "brand": ["a", "b"], "price": [1.5, 2.5]}
    write(
        tmp_path,
        a=one,
        b={"price": pa.array([3, 4]), "brand": pa.nulls(2), "item_id": [3, 4]},
        c={"item_id": [5], "brand": pa.array(["e"], pa.large_string())},
        d={"item_id": [6], "brand": pa.array(["f"]).dictionary_encode(), "price": [None]},
    )
    assert read(str(tmp_path)) == {
        "item_id": [1, 2, 3, 4, 5, 6],
        "brand": ["a", "b", None, None, "e", "f"],
        "price": [1.5, 2.5, 3.0, 4.0, None, None],
    }


def test_an_empty_file_says_nothing_of_types(tmp_path):
    # pandas writes a frame without rows with other types than one with rows.
    write(tmp_path, a={"item_id": pa.array([], pa.float64())}, b={"item_id": ["x"]})
    assert read(str(tmp_path)) == {"item_id": ["x"]}
    table = open_table(str(tmp_path), "items")
    assert table.column("item_id", kinds.is_text, "text").lacking is None


def test_only_empty_files_are_a_table_without_rows(tmp_path):
    write(tmp_path, a={"item_id": pa.array([], pa.int64())})
    table = open_table(str(tmp_path), "items")
    assert (table.rows, table.names) == (0, ("item_id",))
    assert read(str(tmp_path)) == {"item_id": []}


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ([1], ["x"], "column 'c' is int64 in .*a.parquet' and string in .*b.parquet'"),
        ([1], [datetime.datetime(2026, 1, 1)], "column .* int64 in .* and timestamp"),
        ([1], [[1]], "column .* int64 in .* and list"),
    ],
)
def test_types_that_do_not_go_together_are_a_fault_of_who_reads_them(tmp_path, first, second, why):
    write(tmp_path, a={"c": first, "d": [1]}, b={"c": second, "d": [2]})
    table = open_table(str(tmp_path), "items")
    assert table.read(["d"]).to_pydict() == {"d": [1, 2]}
    with pytest.raises(UserInputError, match=f"--items: {why}"):
        table.column("c", kinds.is_number, "a number")


def test_ids_of_two_kinds_can_be_read_as_text(tmp_path):
    write(tmp_path, a={"item_id": [1]}, b={"item_id": ["x"]})
    table = open_table(str(tmp_path), "items")
    with pytest.raises(UserInputError, match="--text_column item_id"):
        table.column("item_id", kinds.is_id, "an id")
    assert read(str(tmp_path), text_columns=("item_id",)) == {"item_id": ["1", "x"]}


def test_a_column_that_some_files_lack(tmp_path):
    write(tmp_path, a={"item_id": [1], "click": [1]}, b={"item_id": [2]})
    table = open_table(str(tmp_path), "items")
    with pytest.raises(UserInputError, match=r"b.parquet' has no column 'click', but other files"):
        table.column("click", kinds.is_number, "a number")
    assert table.column("click", kinds.is_number, "a number", everywhere=False).lacking


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("isClick", "is_click"),
        ("Brand", "brand"),
        ("BRAND", "brand"),
        ("userID", "user_id"),
        ("UserId2", "user_id2"),
        ("HTTPStatus", "http_status"),
        ("geo.country-code", "geo_country_code"),
        ("a__b_", "a__b_"),
        ("_x", "x"),
        ("7days", "c_7days"),
        ("客户", ""),
    ],
)
def test_a_name_that_the_model_can_have(column, name):
    assert names.feature_name(column) == name
    assert names.feature_name(name) == name


def test_names_are_found_by_what_they_become(tmp_path):
    write(tmp_path, a={"isClick": [1], "geo.City": ["x"]}, b={"geo.City": ["y"], "IsClick": [0]})
    assert read(str(tmp_path)) == {"is_click": [1, 0], "geo_city": ["x", "y"]}


def test_a_renamed_column_hides_one_of_that_name(tmp_path):
    write(tmp_path, a={"uid": [1], "user_id": [9]})
    assert read(str(tmp_path), columns=("user_id=uid",)) == {"user_id": [1]}
    # For one table only.
    assert read(str(tmp_path), columns=("events.user_id=uid",))["user_id"] == [9]
    assert read(str(tmp_path), columns=("items.user_id=uid",)) == {"user_id": [1]}


def test_the_exact_name_is_meant_where_another_differs_in_case(tmp_path):
    write(tmp_path, a={"Brand": ["no"], "brand": ["yes"]})
    assert read(str(tmp_path)) == {"brand": ["yes"]}
    assert read(str(tmp_path), columns=("brand=Brand",)) == {"brand": ["no"]}


@pytest.mark.parametrize("columns", [["Brand", "BRAND"], ["Brand", "Brand"], ["brand", "brand"]])
def test_two_columns_of_one_name_are_a_fault_of_who_reads_them(tmp_path, columns):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], [*columns, "x"])
    table = open_table(write(tmp_path, a=table), "items")
    assert table.read(["x"]).to_pydict() == {"x": [3]}
    with pytest.raises(UserInputError, match=r"a.parquet' has .*" + columns[0]):
        table.column("brand", kinds.is_number, "a number")


def test_columns_that_nothing_reads_may_hold_anything(tmp_path):
    odd = {
        "item_id": [1],
        "far": pa.array([2**62], pa.timestamp("us")),
        "decimal": pa.array([1], pa.decimal256(60, 2)),
        "nested": [{"a": [{"b": 1}]}],
        "zone": pa.array([0], pa.timestamp("s", "Mars/Olympus")),
        "bytes": pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers()),
    }
    table = open_table(write(tmp_path, a=odd), "items")
    assert table.read(["item_id"]).to_pydict() == {"item_id": [1]}


def test_keys_of_folders_are_columns(tmp_path):
    for day, hour, click in (("2026-05-01", "05", 1), ("2026-05-02", "17", 0)):
        write(tmp_path / f"date={day}" / f"Hour={hour}", part={"click": [click]})
    found = read(str(tmp_path))
    assert found == {"click": [1, 0], "date": ["2026-05-01", "2026-05-02"], "hour": [5, 17]}
    assert read(str(tmp_path), "hour") == {"hour": [5, 17]}


def test_a_column_of_the_file_counts_more_than_a_key(tmp_path):
    write(tmp_path / "date=2026-05-01", part={"date": ["own"]})
    assert read(str(tmp_path)) == {"date": ["own"]}


@pytest.mark.parametrize(
    ("text", "clicks"),
    [
        ("date >= '2026-05-02'", [3, 4]),
        ("click > 1", [2, 3, 4]),
        ("date >= '2026-05-02' and click != 3", [4]),
        ("date == '2026-05-01' or click == 4", [1, 2, 4]),
        ("hour == 5 and click in (1, 3)", [1, 3]),
        ("not isApp == 1", [2, 3]),
    ],
)
def test_a_filter_is_of_files_and_of_rows(tmp_path, text, clicks):
    for day, first in (("2026-05-01", 1), ("2026-05-02", 3)):
        part = {"click": [first, first + 1], "isApp": [first == 1, first == 3]}
        write(tmp_path / f"date={day}" / "hour=05", part=part)
    options = TableOptions(filter=text)
    table = open_table(str(tmp_path), "events", options, is_log=True)
    found = [
        (value, int(row))
        for unit in table.units
        for batch, rows in table.reader.read(unit, ["click"])
        for value, row in zip(batch["click"].to_pylist(), rows, strict=True)
    ]
    assert [value for value, _ in found] == clicks
    # Rows keep their place in the file, so that a message can name it.
    assert [row for _, row in found] == [(value - 1) % 2 for value in clicks]
    if "click" not in text and "isApp" not in text:
        assert (table.pruned, table.rows) == (1, 2)


def test_a_filter_is_of_the_key_unless_the_name_was_given_to_a_column(tmp_path):
    for day in (1, 2):
        write(
            tmp_path / f"day={day}",
            a={"day": [1, 2], "when": [2, 1], "n": [day * 10, day * 10 + 1]},
        )

    def rows(*columns):
        options = TableOptions(columns=columns, filter="day == 2")
        table = open_table(str(tmp_path), "events", options, is_log=True)
        return table.read(["day", "n"]).to_pydict(), table.pruned

    assert rows() == ({"day": [1, 2], "n": [20, 21]}, 1)
    assert rows("day=day") == ({"day": [2, 2], "n": [11, 21]}, 0)
    assert rows("day=when") == ({"day": [2, 2], "n": [10, 20]}, 0)


def test_a_null_passes_no_filter(tmp_path):
    write(tmp_path, a={"click": [1, None, 0]})
    assert read(str(tmp_path), filter="click != 1", is_log=True) == {"click": [0]}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("date > '2027'", "rules out all 1 file"),
        ("clikc == 1", "no column 'clikc'"),
        ("click == 'a'", "expected a number"),
    ],
)
def test_a_filter_that_does_not_fit_is_refused(tmp_path, text, why):
    write(tmp_path / "date=2026-05-01", a={"click": [1]})
    with pytest.raises(UserInputError, match=why):
        open_table(str(tmp_path), "events", TableOptions(filter=text), is_log=True)


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ("user_id", "must be NAME=COLUMN"),
        ("User=uid", "must be NAME=COLUMN"),
        ("user_id=", "must be NAME=COLUMN"),
    ],
)
def test_a_rename_of_another_form_is_refused(column, why):
    with pytest.raises(UserInputError, match=why):
        TableOptions(columns=(column,)).renamed("events")


def test_one_name_is_given_one_column():
    with pytest.raises(UserInputError, match="'uid' already"):
        TableOptions(columns=("user_id=uid", "user_id=id")).renamed("events")


def test_a_rename_that_finds_nothing_is_refused_by_the_job(tmp_path):
    location = write(tmp_path, a={"uid": [1]})
    for column in ("user_id=uidd", "users.user_id=uid", "events.user_id=x"):
        options = TableOptions(columns=(column,))
        tables = [open_table(location, "events", options)]
        with pytest.raises(UserInputError, match=f"--column '{column}'.*events: uid"):
            check_renames_used(options, tables)
    options = TableOptions(columns=("user_id=uid",))
    check_renames_used(options, [open_table(location, "events", options)])


def test_a_rename_of_one_of_several_sets_is_used(tmp_path):
    options = TableOptions(columns=("embeddings.item_id=sku",))
    for name, column in (("text", "sku"), ("image", "item_id")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, a={column: [1]})
    tables = [open_table(str(tmp_path / one), f"embeddings {one}", options)
              for one in ("text", "image")]  # fmt: skip
    check_renames_used(options, tables)
    with pytest.raises(UserInputError, match="embeddings image: item_id"):
        check_renames_used(options, tables[1:])


def test_a_message_has_file_column_received_expected_and_remedy(tmp_path):
    table = open_table(write(tmp_path, a={"uid": [1.5]}), "events")
    with pytest.raises(UserInputError) as error:
        table.column("user_id", kinds.is_id, "int64 or string")
    for part in ("--events", "a.parquet", "'user_id'", "int64 or string", "uid: double"):
        assert part in str(error.value)
    assert "--column user_id=COLUMN" in str(error.value)
    options = TableOptions(columns=("user_id=uid",))
    table = open_table(str(tmp_path), "events", options)
    with pytest.raises(UserInputError, match=r"column 'uid' \(user_id\) is double, expected int64"):
        table.column("user_id", kinds.is_id, "int64 or string")


def test_rows_are_read_in_their_order_whatever_the_row_groups(tmp_path):
    values = np.arange(200_000)
    pq.write_table(pa.table({"item_id": values}), tmp_path / "a.parquet", row_group_size=70_001)
    table = open_table(str(tmp_path), "items")
    positions = [rows for unit in table.units for _, rows in table.reader.read(unit, ["item_id"])]
    np.testing.assert_array_equal(np.concatenate(positions), values)
    np.testing.assert_array_equal(table.read(["item_id"])["item_id"].to_numpy(), values)
