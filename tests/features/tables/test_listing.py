"""What a location means is one rule, on local disks and on an S3 server alike."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import UserInputError
from features.files import storage, versions
from features.tables.listing import TWICE, FoundFile, Listing, describe, list_files
from features.tables.locations import file_names, selection
from features.tables.locations.location import matches
from tests.features.tables.trees import names, reasons, write


@pytest.fixture(params=["local", "file", "s3"])
def root(request, tmp_path):
    if request.param == "s3":
        server = request.getfixturevalue("s3")
        return f"s3://{server.bucket()}/root"
    (tmp_path / "root").mkdir()
    return f"{'file://' if request.param == 'file' else ''}{tmp_path}/root"


def found(*locations):
    return list_files(locations, "events")


def test_folders_are_read_at_any_depth_in_the_order_of_names(root):
    write(root, "b.csv", "date=2026-05-02/a.parquet", "date=2026-05-01/x/c.orc", "a.csv.gz")
    listing = found(root)
    assert names(listing) == [
        "a.csv.gz",
        "b.csv",
        "date=2026-05-01/x/c.orc",
        "date=2026-05-02/a.parquet",
    ]
    assert [file.path for file in listing.files] == [f"{root}/{n}" for n in names(listing)]
    assert [dict(file.keys) for file in listing.files] == [
        {},
        {},
        {"date": "2026-05-01"},
        {"date": "2026-05-02"},
    ]
    assert listing.passed_over == ()


def test_what_is_no_data_is_passed_over_with_a_reason(root):
    data = [
        "000000_0",
        "a.snappy.parquet",
        "c/b.CSV.gz",
        "j/z.jsonl.zst",
        "o/a.orc",
        "part-0-x.c000",
    ]
    data += ["v/v.npy", "x.pq"]
    write(root, *data)
    write(root, "empty.parquet", "d/empty", content=b"")
    others = {
        "_SUCCESS": file_names.HIDDEN,
        ".a.snappy.parquet.crc": file_names.HIDDEN,
        "_temporary/0/part-0.parquet": file_names.IN_HIDDEN_FOLDER,
        ".spark-staging/part-0.parquet": file_names.IN_HIDDEN_FOLDER,
        "d/README": file_names.DESCRIPTION,
        "manifest.json": file_names.DESCRIPTION,
        "quarantine/rows.jsonl": file_names.QUARANTINED,
        "set.building/a.parquet": file_names.UNFINISHED,
        "v/v.ids.npy": file_names.IDS,
        "v/v.ids.txt": file_names.IDS,
        "v/v.ids.csv.gz": file_names.IDS,
        "notes.txt": file_names.UNKNOWN,
        "a.parquet.tmp": file_names.UNKNOWN,
        "schema.json": file_names.JSON_BESIDE,
    }
    write(root, *others)
    listing = found(root)
    assert names(listing) == data
    empty = {"empty.parquet": selection.EMPTY, "d/empty": selection.EMPTY}
    assert reasons(listing, root) == {**others, **empty}


def test_files_of_two_formats_in_one_folder_are_refused(root):
    write(root, "a/one.parquet", "a/two.pq", "a/three", "b/one.csv")
    assert len(found(root).files) == 4
    write(root, "a/one.csv.gz")
    with pytest.raises(UserInputError, match=r"one.csv.gz' and .*one.parquet' .*a/\*\.gz'"):
        found(root)
    assert names(found(f"{root}/a/*.pq", f"{root}/a/*.csv*")) == ["two.pq", "one.csv.gz"]
    write(root, "a/x.parquet.crc", "a/y.json")
    assert names(found(f"{root}/a/[!o]*")) == ["three", "two.pq"]


def test_names_that_are_only_like_those_of_no_data(root):
    data = ["_day=1/a.parquet", "quarantine/a.parquet", "w.ids.parquet", "log.2026-05-01", "log.1"]
    write(root, *data)
    assert names(found(root)) == sorted(data)
    write(f"{root}/lines", "a.json", "b.json.gz")
    assert names(found(f"{root}/lines")) == ["a.json", "b.json.gz"]


def test_one_file_may_be_called_anything(root):
    for name in ("_hidden", "notes.txt", "manifest.json", "data"):
        write(root, f"d=1/{name}")
        file = FoundFile(f"{root}/d=1/{name}", name, (("d", "1"),))
        assert found(f"{root}/d=1/{name}") == Listing((file,))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.parquet", ["a.parquet", "b.parquet"]),
        ("?.parquet", ["a.parquet", "b.parquet"]),
        ("[!a].parquet", ["b.parquet"]),
        ("**/*.parquet", ["a.parquet", "b.parquet", "d=1/c.parquet", "d=2/x/c.parquet"]),
        ("d=*", ["d=1/c.parquet", "d=2/x/c.parquet"]),
        ("d=[2-9]/**", ["d=2/x/c.parquet"]),
        ("d=*/c.parquet", ["d=1/c.parquet"]),
    ],
)
def test_globs(root, pattern, expected):
    write(root, "a.parquet", "b.parquet", "d=1/c.parquet", "d=2/x/c.parquet", "d=1/_SUCCESS")
    listing = found(f"{root}/{pattern}")
    assert names(listing) == expected
    assert [file.path for file in listing.files] == [f"{root}/{name}" for name in expected]
    assert {file.name[:3]: dict(file.keys) for file in listing.files if file.keys} == {
        name[:3]: {"d": name[2]} for name in expected if name.startswith("d=")
    }


def test_a_name_with_brackets_comes_before_the_glob(root):
    write(root, "lr=[0.1]/a.parquet", "lr=0/b.parquet")
    assert names(found(f"{root}/lr=[0.1]")) == ["a.parquet"]
    assert names(found(f"{root}/lr=[0-9]")) == ["lr=0/b.parquet"]


def test_a_relative_glob_keeps_its_paths(tmp_path, monkeypatch):
    write(str(tmp_path), "a.csv", "x/b.csv")
    monkeypatch.chdir(tmp_path)
    assert [file.path for file in found("*.csv", "x/*", "./a.csv").files] == ["a.csv", "x/b.csv"]
    assert [file.path for file in found("a.csv", ".").files] == ["a.csv", "./x/b.csv"]


def test_locations_keep_their_order_and_a_file_counts_once(root):
    write(root, "b/1.csv", "b/2.csv", "a/1.csv", "a/_SUCCESS")
    listing = found(f"{root}/b/2.csv", f"{root}/b/", f"{root}/*/1.csv", f"{root}/a")
    paths = [file.path[len(root) + 1 :] for file in listing.files]
    assert paths == ["b/2.csv", "b/1.csv", "a/1.csv"]
    assert reasons(listing, root) == {
        "b/2.csv": TWICE,
        "b/1.csv": TWICE,
        "a/1.csv": TWICE,
        "a/_SUCCESS": file_names.HIDDEN,
    }


def test_keys_are_decoded_and_the_locations_own_count(root):
    folder = "stage=prod/log/date=2026-05-01/hour=__HIVE_DEFAULT_PARTITION__"
    write(root, f"{folder}/a%20b=c%2Fd%3D1/e=/part-0")
    location = f"{root}/stage=prod/log/date=2026-05-01"
    (file,) = found(location).files
    own = (("date", "2026-05-01"), ("hour", None), ("a b", "c/d=1"), ("e", ""))
    assert file.keys == own
    (file,) = found(f"{root}/stage=prod/log").files
    assert file.keys == own
    (file,) = found(root).files
    assert file.keys == (("stage", "prod"), *own)


def test_folders_of_one_level_with_two_keys_are_refused(root):
    write(root, "date=1/a.csv", "day=2/a.csv")
    with pytest.raises(UserInputError, match=r"^--events: folders of one level.*'date'.*'day'"):
        found(root)
    listing = found(f"{root}/date=1", f"{root}/day=2")
    assert [file.keys for file in listing.files] == [(("date", "1"),), (("day", "2"),)]


def test_a_key_with_two_values_in_one_path_is_refused(root):
    write(root, "date=1/x/date=2/a.csv")
    with pytest.raises(UserInputError, match="date=1 and date=2"):
        found(root)


def test_the_published_version_is_read_wherever_it_lies(root):
    for folder in (root, f"{root}/sets/text"):
        write(f"{folder}/versions", "000001/a.parquet", "000002/a.parquet", "000003/a.parquet")
        write(f"{folder}/versions/000002", "manifest.json", "quarantine/vectors.jsonl")
        versions.publish(folder, 2)
    listing = found(root)
    assert [file.path for file in listing.files] == [f"{root}/versions/000002/a.parquet"]
    assert names(listing) == ["a.parquet"]
    write(root, "sets/other/b.parquet")
    listing = found(f"{root}/sets")
    assert names(listing) == ["other/b.parquet", "text/versions/000002/a.parquet"]
    assert reasons(listing, f"{root}/sets") == {
        "text/CURRENT": file_names.DESCRIPTION,
        "text/versions/000001/a.parquet": selection.NOT_PUBLISHED,
        "text/versions/000002/manifest.json": file_names.DESCRIPTION,
        "text/versions/000002/quarantine/vectors.jsonl": file_names.QUARANTINED,
        "text/versions/000003/a.parquet": selection.NOT_PUBLISHED,
    }


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("absent", "absent' (does not exist|cannot be used.*AWS_REGION)"),
        ("absent/*.csv", "absent' (does not exist|cannot be used.*AWS_REGION)"),
        ("log/*.csv", r"matches none of the 3 files in .*/log', such as '_SUCCESS'"),
        ("log", r"holds no data: nothing of what is there \(name begins.*suffix of no table: "),
        ("l*", "holds no data.*suffix of no table: a.avro, b.xlsx"),
    ],
)
def test_a_location_without_data_is_refused(root, location, message):
    write(f"{root}/log", "a.avro", "b.xlsx", "_SUCCESS")
    write(f"{root}/good", "a.csv")
    with pytest.raises(UserInputError, match=f"^--items: .*{message}"):
        list_files([f"{root}/good", f"{root}/{location}"], "items")


def test_empty_files_are_no_mistake_beside_others(root):
    write(root, "a.csv", "d/_SUCCESS")
    write(root, "b.csv", "d/part-0", content=b"")
    assert names(found(f"{root}/b.csv", f"{root}/a.csv", f"{root}/d")) == ["a.csv"]
    with pytest.raises(UserInputError, match=r"holds no data.*empty file: b.csv, part-0"):
        found(f"{root}/b.csv", f"{root}/d")


def test_local_oddities_are_said(tmp_path):
    write(str(tmp_path), "log/a.csv", "log/x/b.csv")
    os.symlink("..", tmp_path / "log/x/up")
    os.symlink(tmp_path / "log", tmp_path / "link")
    assert names(found(str(tmp_path / "log"))) == ["a.csv", "x/b.csv"]
    assert len(found(str(tmp_path / "link"), str(tmp_path / "log")).files) == 2
    os.symlink("nothing", tmp_path / "log/c.csv")
    with pytest.raises(
        UserInputError, match=r"^--events: .*log/c.csv' is no file that can be read"
    ):
        found(str(tmp_path / "log"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserInputError, match="pipe' is neither a file nor a folder"):
        found(str(tmp_path / "pipe"))
    (tmp_path / "none").mkdir()
    with pytest.raises(UserInputError, match="none' holds no data: it is empty"):
        found(str(tmp_path / "none"))


def test_a_remote_folder_takes_one_listing(s3, monkeypatch):
    root = f"s3://{s3.bucket()}/root"
    write(root, *(f"date={day}/hour={hour}/part-0.parquet" for day in range(9) for hour in "123"))
    asked = []
    resolved = storage.resolved
    for module in ("storage", "tree"):
        monkeypatch.setattr(
            f"features.files.{module}.resolved", lambda path: asked.append(path) or resolved(path)
        )
    assert len(found(root).files) == 27
    assert len(asked) < 6, asked


def test_the_description_counts(root):
    days = [f"date=2026-05-0{day}" for day in (1, 2, 3)]
    write(root, *(f"{day}/part-{n}.csv" for day in days for n in range(2)), "_SUCCESS")
    write(root, *(f"{days[0]}/.part-{n}.csv.crc" for n in range(5)))
    assert describe(found(root), "events") == (
        "--events: 6 files in 3 folders (date=2026-05-01 .. date=2026-05-03); passed over: 6 "
        "(name begins with . or _: _SUCCESS, .part-0.csv.crc and 4 more)"
    )
    assert describe(found(f"{root}/{days[0]}/part-0.csv"), "items") == (
        "--items: 1 file (date=2026-05-01)"
    )


PARTS = st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=4)


@given(PARTS, st.data())
def test_a_glob_means_a_file_or_a_folder_above_it(parts, data):
    name = "/".join(parts)
    depth = data.draw(st.integers(1, len(parts)))
    pattern = [data.draw(st.sampled_from([part, "*", part[:-1] + "?"])) for part in parts[:depth]]
    assert matches(name, "/".join(pattern))
    at = data.draw(st.integers(0, depth))
    assert matches(name, "/".join(["**", *pattern[at:]]) if at < depth else "**")
    assert not matches(name, "/".join([*pattern, *["*"] * (len(parts) - depth), "*"]))
