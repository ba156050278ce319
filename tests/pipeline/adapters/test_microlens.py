"""MicroLens, both layouts of the pairs: values, quarantine, and joins of the results."""

import pytest

from features.errors import UserInputError
from pipeline.adapters import microlens
from tests.pipeline.adapters import converted

TITLES = 'item,title\n10,"A dance, slowly"\n11,"Two\nlines"\n12,\n'


def write(folder, name, pairs, titles=TITLES):
    folder.mkdir()
    (folder / name).write_text(pairs)
    if titles is not None:
        (folder / "MicroLens-50k_titles.csv").write_text(titles)
    return folder


def test_timed_pairs(tmp_path):
    pairs = "user,item,timestamp\n1,10,1583378629552\n2,11,1583378632303\n"
    source = write(tmp_path / "in", "MicroLens-50k_pairs.csv", pairs)
    converted.convert(microlens, source, tmp_path / "out", max_bad_fraction=0.0)
    assert converted.rows(tmp_path / "out", "events") == [
        {"user_id": 1, "item_id": 10, "timestamp": 1583378629552, "click": 1},
        {"user_id": 2, "item_id": 11, "timestamp": 1583378632303, "click": 1},
    ]
    assert converted.rows(tmp_path / "out", "items") == [
        {"item_id": 10, "title": "A dance, slowly"},
        {"item_id": 11, "title": "Two\nlines"},
        {"item_id": 12, "title": None},
    ]


@pytest.mark.parametrize("header", ["userID,videoID,timestamp\n", ""])
def test_other_headers_of_published_files(tmp_path, header):
    source = write(tmp_path / "in", "MicroLens-100k_pairs.csv", header + "1,10,5\n", titles=None)
    (source / "MicroLens-100k_title_en.csv").write_text("10,A dance\n")
    converted.convert(microlens, source, tmp_path / "out", max_bad_fraction=0.0)
    assert converted.rows(tmp_path / "out", "events") == [
        {"user_id": 1, "item_id": 10, "timestamp": 5, "click": 1}
    ]
    assert converted.rows(tmp_path / "out", "items") == [{"item_id": 10, "title": "A dance"}]


def test_lines_of_users(tmp_path):
    source = write(tmp_path / "in", "MicroLens-50k_pairs.tsv", "1\t12 10 11\n2\t10\n")
    converted.convert(microlens, source, tmp_path / "out", max_bad_fraction=0.0)
    events = [tuple(row.values()) for row in converted.rows(tmp_path / "out", "events")]
    assert events == [(1, 12, 0, 1), (1, 10, 1, 1), (1, 11, 2, 1), (2, 10, 0, 1)]


def test_broken_lines_of_users(tmp_path):
    pairs = "1\t12 x 11\n2 10 11\n\t10\n4\t\n"
    source = write(tmp_path / "in", "p_pairs.tsv", pairs)
    done = converted.convert(microlens, source, tmp_path / "out")
    events = [tuple(row.values()) for row in converted.rows(tmp_path / "out", "events")]
    assert events == [(1, 12, 0, 1), (1, 11, 2, 1)]
    assert converted.reasons(tmp_path / "out", "events") == [
        ("p_pairs.tsv", 1, "item is 'x', expected a whole number of 64 bits"),
        ("p_pairs.tsv", 2, "has 1 fields, expected 2"),
        ("p_pairs.tsv", 3, "user is '', expected a whole number of 64 bits"),
        ("p_pairs.tsv", 4, "item is '', expected a whole number of 64 bits"),
    ]
    assert done["counts"]["events"] == {"read": 6, "written": 2, "quarantined": 4}


def test_pairs_are_required_and_unambiguous(tmp_path):
    source = write(tmp_path / "in", "readme.txt", "")
    with pytest.raises(UserInputError, match=r"no file \*pairs\.csv or \*pairs\.tsv.*readme\.txt"):
        converted.convert(microlens, source, tmp_path / "out")
    for size in ("50k", "100k"):
        (source / f"MicroLens-{size}_pairs.csv").write_text("user,item,timestamp\n1,2,3\n")
    with pytest.raises(UserInputError, match=r"several files .*100k_pairs.csv, MicroLens-50k"):
        converted.convert(microlens, source, tmp_path / "out")


@pytest.mark.parametrize("timed", [True, False])
def test_result_joins(tmp_path, timed):
    sequences = {user: [10 + (user * 3 + n * n) % 7 for n in range(8)] for user in range(6)}
    if timed:
        lines = [
            f"{user},{item},{1_583_378_629_552 + user + 1000 * place}\n"
            for user, items in sequences.items()
            for place, item in enumerate(items)
        ]
        pairs, name = "user,item,timestamp\n" + "".join(lines), "m_pairs.csv"
    else:
        lines = [f"{user}\t{' '.join(map(str, items))}\n" for user, items in sequences.items()]
        pairs, name = "".join(lines), "m_pairs.tsv"
    done = converted.convert(microlens, write(tmp_path / "in", name, pairs), tmp_path / "out")
    options, joined = converted.join(done)
    counts = joined["counts"]
    assert counts["read"] == 48
    assert counts["read"] == (
        counts["written"] + sum(counts["quarantined"].values()) + sum(counts["dropped"].values())
    )
    assert counts["written"] == 48
    assert options.negatives == "popularity:4"
    units = (options.timestamp_unit, options.split_by)
    assert units == (("ms", "global") if timed else ("s", "user"))
    assert joined["schema"]["labels"] == ["click"]
