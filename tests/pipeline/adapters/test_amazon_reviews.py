"""Amazon Reviews 2023: values, quarantine, gzip, and a join of the result."""

import gzip
import json

import pytest

from features.errors import UserInputError
from pipeline.adapters import amazon_reviews
from tests.pipeline.adapters import converted

REVIEW = {
    "rating": 5.0,
    "title": "Fine",
    "text": "It does what it says.\nTwice.",
    "images": [],
    "asin": "B00000VAR1",
    "parent_asin": "B00000PARE",
    "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ",
    "timestamp": 1588687728923,
    "helpful_vote": 3,
    "verified_purchase": True,
}
PRODUCT = {
    "main_category": "All Beauty",
    "title": "Comb",
    "average_rating": 4.8,
    "rating_number": 10,
    "features": [],
    "description": [],
    "price": 12.5,
    "images": [],
    "videos": [],
    "store": "Combs & Co",
    "categories": ["Beauty", "Hair"],
    "details": {"Size": "8 oz"},
    "parent_asin": "B00000PARE",
    "bought_together": None,
}


def lines(*objects):
    return "".join(json.dumps(one) + "\n" for one in objects)


def write(folder, reviews, products=None):
    folder.mkdir()
    (folder / "All_Beauty.jsonl").write_text(reviews)
    if products is not None:
        (folder / "meta_All_Beauty.jsonl").write_text(products)
    return folder


def test_values(tmp_path):
    source = write(tmp_path / "in", lines(REVIEW), lines(PRODUCT))
    done = converted.convert(amazon_reviews, source, tmp_path / "out", max_bad_fraction=0.0)
    assert converted.rows(tmp_path / "out", "events") == [
        {
            "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ",
            "item_id": "B00000PARE",
            "timestamp": 1588687728923,
            "rating": 5.0,
            "verified_purchase": True,
        }
    ]
    assert converted.rows(tmp_path / "out", "items") == [
        {
            "item_id": "B00000PARE",
            "title": "Comb",
            "main_category": "All Beauty",
            "categories": ["Beauty", "Hair"],
            "store": "Combs & Co",
            "price": 12.5,
        }
    ]
    assert "emptied" not in done["counts"]["items"]


@pytest.mark.parametrize(
    ("price", "expected", "emptied"),
    [
        (9, 9.0, 0),
        (None, None, 0),
        ("12.99", 12.99, 0),
        ("$1,234.50", 1234.5, 0),
        ("from 12.99", None, 1),
        ("—", None, 1),
        ("1,2", None, 1),
        (True, None, 1),
        (-1, None, 1),
    ],
)
def test_prices(tmp_path, price, expected, emptied):
    source = write(tmp_path / "in", lines(REVIEW), lines({**PRODUCT, "price": price}))
    done = converted.convert(amazon_reviews, source, tmp_path / "out", max_bad_fraction=0.0)
    (item,) = converted.rows(tmp_path / "out", "items")
    assert item["price"] == expected
    assert done["counts"]["items"].get("emptied", {}).get("price", 0) == emptied


def without(name):
    return json.dumps({key: value for key, value in REVIEW.items() if key != name})


BAD_REVIEWS = {
    json.dumps(REVIEW)[:-20]: "is not JSON: ",
    "[1, 2]": "is JSON of list, expected an object",
    without("user_id"): "user_id is None, expected text that is not empty",
    json.dumps({**REVIEW, "user_id": "  "}): "user_id is '  ', expected text that is not empty",
    json.dumps({**REVIEW, "parent_asin": 7}): "parent_asin is 7, expected text",
    json.dumps({**REVIEW, "timestamp": 1.5e12}): "timestamp is 1500000000000.0, expected a whole",
    json.dumps({**REVIEW, "timestamp": True}): "timestamp is True, expected a whole number",
    json.dumps({**REVIEW, "rating": float("nan")}): "is not JSON: NaN is no value of JSON",
    json.dumps({**REVIEW, "rating": 6}): "rating is 6, expected a number from 0 to 5",
    json.dumps({**REVIEW, "rating": "5 stars"}): "rating is '5 stars', expected a number",
    json.dumps({**REVIEW, "verified_purchase": "yes"}): "verified_purchase is 'yes', expected true",
    json.dumps({**REVIEW, "user_id": "\ud83d"}): "user_id is '\\ud83d': half a character",
    json.dumps({**REVIEW, "user_id": "", "verified_purchase": 1}): "verified_purchase is 1",
    "[" * 100_000: "is not JSON: ",
}


@pytest.mark.parametrize("bad", BAD_REVIEWS, ids=range(len(BAD_REVIEWS)))
def test_broken_reviews_are_quarantined_alone(tmp_path, bad):
    reviews = lines(REVIEW) + bad + "\n" + lines({**REVIEW, "parent_asin": "B00000LAST"})
    converted.convert(amazon_reviews, write(tmp_path / "in", reviews), tmp_path / "out")
    (found,) = converted.quarantined(tmp_path / "out", "events")
    assert (found["file"], found["line"], found["values"]) == ("All_Beauty.jsonl", 2, bad)
    assert found["reason"].startswith(BAD_REVIEWS[bad])
    items = [row["item_id"] for row in converted.rows(tmp_path / "out", "events")]
    assert items == ["B00000PARE", "B00000LAST"]


def test_broken_products_are_quarantined(tmp_path):
    bad = [{"parent_asin": ""}, {"categories": "Hair"}, {"categories": [None]}]
    bad.append({"store": 5, "categories": "Hair"})
    products = lines(PRODUCT, *({**PRODUCT, **one} for one in bad))
    products += lines({"parent_asin": "B00000BARE", "categories": None})
    source = write(tmp_path / "in", lines(REVIEW), products)
    converted.convert(amazon_reviews, source, tmp_path / "out")
    found = converted.reasons(tmp_path / "out", "items")
    assert [line for _, line, _ in found] == [2, 3, 4, 5]
    assert found[-1][2].startswith("store is 5"), "the first fault in the order of the checks"
    assert converted.rows(tmp_path / "out", "items")[1]["categories"] == []


def test_bytes_that_are_no_text(tmp_path):
    source = write(tmp_path / "in", lines(REVIEW))
    with open(source / "All_Beauty.jsonl", "ab") as file:
        file.write(json.dumps(REVIEW).encode().replace(b"Fine", b"\xff\xfe") + b"\n")
    converted.convert(amazon_reviews, source, tmp_path / "out")
    ((_, line, reason),) = converted.reasons(tmp_path / "out", "events")
    assert line == 2 and reason.startswith("is not UTF-8")


def test_gzip_gives_the_same_tables(tmp_path):
    source = write(tmp_path / "in", lines(REVIEW, REVIEW), lines(PRODUCT))
    plain = converted.convert(amazon_reviews, source, tmp_path / "plain")
    for path in list(source.iterdir()):
        (source / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(UserInputError, match=r"All_Beauty\.jsonl plain and as gzip"):
        converted.convert(amazon_reviews, source, tmp_path / "both")
    for path in list(source.glob("*.jsonl")):
        path.unlink()
    compressed = converted.convert(amazon_reviews, source, tmp_path / "compressed")
    assert compressed["files"] == plain["files"]


@pytest.mark.guarantee("damaged", "convert")
def test_truncated_gzip_publishes_nothing(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    bad = "".join(f"broken {number}\n" for number in range(20_000))
    (source / "A.jsonl.gz").write_bytes(gzip.compress((lines(REVIEW) + bad).encode())[:-40])
    with pytest.raises(UserInputError, match=r"A\.jsonl\.gz' cannot be read.*gzip.*Nothing was"):
        converted.convert(amazon_reviews, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.building").exists()
    assert (tmp_path / "out.rejected" / "quarantine" / "events.jsonl").exists()


def test_reviews_are_required(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    (source / "meta_All_Beauty.jsonl").write_text(lines(PRODUCT))
    with pytest.raises(UserInputError, match=r"no file of reviews.*holds meta_All_Beauty\.jsonl"):
        converted.convert(amazon_reviews, source, tmp_path / "out")


def test_result_joins(tmp_path):
    reviews = [
        {
            **REVIEW,
            "user_id": f"USER{number % 4}",
            "parent_asin": f"B{number % 7}",
            "rating": 1.0 + number % 5,
            "timestamp": REVIEW["timestamp"] + 60_000 * number,
        }
        for number in range(40)
    ]
    products = [{**PRODUCT, "parent_asin": f"B{number}"} for number in range(5)]
    source = write(tmp_path / "in", lines(*reviews), lines(*products))
    done = converted.convert(amazon_reviews, source, tmp_path / "out")
    options, joined = converted.join(done)
    assert joined["counts"]["read"] == joined["counts"]["written"] == 40
    assert options.timestamp_unit == "ms"
    features = {one["name"]: one["kind"] for one in joined["schema"]["item_features"]}
    assert features == {
        "main_category": "categorical",
        "categories": "categorical",
        "store": "categorical",
        "price": "numeric",
    }
