"""MovieLens, both layouts: values, quarantine, and a join of the result."""

import random

import pytest

from features.errors import UserInputError
from pipeline.adapters import movielens
from tests.pipeline.adapters import converted
from tests.pipeline.join import oracle

FILMS = (
    "movieId,title,genres\n"
    "1,Toy Story (1995),Adventure|Animation\n"
    '2,"American President, The (1995)",Comedy\n'
    '3,"Say ""Yes"" (Again) ",(no genres listed)\n'
    "4,Années (2006–2007),Drama\n"
)


def write(folder, ratings, films=FILMS):
    folder.mkdir()
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + ratings)
    (folder / "movies.csv").write_text(films)
    return folder


def test_values(tmp_path):
    source = write(tmp_path / "in", "1,2,4.5,964982703\n7,1,0.5,964982931\n")
    done = converted.convert(movielens, source, tmp_path / "out", max_bad_fraction=0.0)
    assert converted.rows(tmp_path / "out", "events") == [
        {"user_id": 1, "item_id": 2, "timestamp": 964982703, "rating": 4.5},
        {"user_id": 7, "item_id": 1, "timestamp": 964982931, "rating": 0.5},
    ]
    years = [(row["title"], row["year"]) for row in converted.rows(tmp_path / "out", "items")]
    assert years == [
        ("Toy Story (1995)", 1995),
        ("American President, The (1995)", 1995),
        ('Say "Yes" (Again)', None),
        ("Années (2006–2007)", None),
    ]
    genres = [row["genres"] for row in converted.rows(tmp_path / "out", "items")]
    assert genres == [["Adventure", "Animation"], ["Comedy"], [], ["Drama"]]
    assert [file["name"] for file in done["inputs"]] == ["ratings.csv", "movies.csv"]
    assert all(len(file["sha256"]) == 64 and file["bytes"] for file in done["inputs"])


def test_columns_are_found_by_name(tmp_path):
    source = write(tmp_path / "in", "")
    (source / "ratings.csv").write_text("timestamp,extra,movieId,rating,userId\n9,x,2,3.0,1\n")
    converted.convert(movielens, source, tmp_path / "out")
    assert converted.rows(tmp_path / "out", "events") == [
        {"user_id": 1, "item_id": 2, "timestamp": 9, "rating": 3.0}
    ]


BAD_RATINGS = {
    "1,2,4.5": "has 3 fields, expected 4",
    "1,2,4.5,9,9": "has 5 fields, expected 4",
    ",2,4.5,9": "userId is '', expected a whole number of 64 bits",
    "NaN,2,4.5,9": "userId is 'NaN', expected a whole number of 64 bits",
    "1,2.0,4.5,9": "movieId is '2.0', expected a whole number of 64 bits",
    "1,2,nan,9": "rating is 'nan', expected a number from 0 to 5",
    "1,2,5.5,9": "rating is '5.5', expected a number from 0 to 5",
    "1,2,4.5,9e8": "timestamp is '9e8', expected a whole number of 64 bits",
    f"1,{2**63},4,9": f"movieId is '{2**63}', expected a whole number of 64 bits",
    '1,"2,4.5,9': "is not comma-separated: is a quote left open?",
}


@pytest.mark.parametrize("bad", BAD_RATINGS)
def test_broken_ratings_are_quarantined_alone(tmp_path, bad):
    source = write(tmp_path / "in", f"1,2,4.5,8\n{bad}\n1,3,2.0,9\n")
    converted.convert(movielens, source, tmp_path / "out")
    (found,) = converted.quarantined(tmp_path / "out", "events")
    assert found == {"file": "ratings.csv", "line": 3, "reason": BAD_RATINGS[bad], "values": bad}
    assert [row["item_id"] for row in converted.rows(tmp_path / "out", "events")] == [2, 3]


def test_older_layout(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    (source / "ratings.dat").write_text("1::1193::5::978300760\n1::661::978302109\n")
    films = "1193::Misérables, Les (1995)::Drama|Musical\n"
    (source / "movies.dat").write_bytes(films.encode("latin-1"))
    (source / "users.dat").write_text("1::F::1::10::48067\n2::M::56::x::70072\n")
    done = converted.convert(movielens, source, tmp_path / "out")
    assert converted.rows(tmp_path / "out", "events") == [
        {"user_id": 1, "item_id": 1193, "timestamp": 978300760, "rating": 5.0}
    ]
    (film,) = converted.rows(tmp_path / "out", "items")
    assert film["title"] == "Misérables, Les (1995)" and film["year"] == 1995
    assert converted.rows(tmp_path / "out", "users") == [
        {"user_id": 1, "gender": "F", "age": 1, "occupation": 10}
    ]
    assert converted.reasons(tmp_path / "out", "users") == [
        ("users.dat", 2, "Occupation is 'x', expected a whole number of 64 bits")
    ]
    options = converted.options_of(done["join_command"])
    assert options.user_features == ("gender", "age", "occupation")


def test_missing_file_is_named(tmp_path):
    source = write(tmp_path / "in", "1,2,4.5,8\n")
    (source / "movies.csv").unlink()
    with pytest.raises(UserInputError, match=r"no movies\.csv or movies\.dat.*holds ratings\.csv"):
        converted.convert(movielens, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_column_is_named(tmp_path):
    source = write(tmp_path / "in", "")
    (source / "ratings.csv").write_text("user,movieId,rating,timestamp\n1,2,3,4\n")
    message = r"ratings\.csv' has no column 'userId'.*'user,movieId,rating,timestamp', expected"
    with pytest.raises(UserInputError, match=message):
        converted.convert(movielens, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_result_joins(tmp_path):
    draw = random.Random(0)
    ratings = "".join(
        f"{draw.randrange(5)},{draw.randrange(1, 5)},{draw.randrange(1, 11) / 2},{1_000_000 + n}\n"
        for n in range(60)
    )
    source = write(tmp_path / "in", ratings)
    done = converted.convert(movielens, source, tmp_path / "out")
    options, joined = converted.join(done)
    assert joined["counts"]["read"] == joined["counts"]["written"] == 60
    records = [one for shard in oracle.read_records(options.output).values() for one in shard]
    assert len(records) == 60
    features = {one["name"]: one["kind"] for one in joined["schema"]["item_features"]}
    assert features == {"genres": "categorical", "year": "categorical"}
    assert joined["schema"]["labels"] == ["liked"]
