"""The files of EB-NeRD: splits, articles and vectors, wherever the archives put them."""

import os
import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import UserInputError
from features.files import storage
from features.tables import kinds
from pipeline.adapters.converter import Sources, find_file, missing

SPLITS = ("train", "validation", "test")
ITEM = "article_id"


def find_sources(folder: str) -> Sources:
    """Returns the files of a release, and the vectors beside it, by role.

    Raises:
      UserInputError: a file is missing or cannot be read, or several would be the same.
    """
    release = _release(folder)
    sources: Sources = {"articles": find_file(release, ("articles.parquet",))}
    for split in SPLITS:
        inside = os.path.join(release, split)
        if os.path.isdir(inside):
            sources[f"{split}_behaviors"] = find_file(inside, ("behaviors.parquet",))
            sources[f"{split}_history"] = find_file(inside, ("history.parquet",))
    for place in dict.fromkeys((folder, release)):
        for path in _other_files(place):
            stem = re.sub("[^a-z0-9]+", "_", os.path.basename(path)[: -len(".parquet")].lower())
            if _vector_column(path) is None:
                sources["passed_over"] = (*sources.get("passed_over", ()), path)
                continue
            role = "embeddings/" + (stem if stem[0].isalpha() else f"vectors_{stem}")
            if role in sources:
                raise UserInputError(
                    f"{sources[role][0]!r} and {path!r} would be one embedding set. Rename one: "
                    "a set is named after its file."
                )
            sources[role] = (path,)
    return sources


def schema(path: str) -> pa.Schema:
    """Returns a file's columns.

    Raises:
      UserInputError: the file is not Parquet.
    """
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def vectors(path: str) -> tuple[str, int]:
    """Returns name and width of a file's vectors; the first one counts.

    Raises:
      UserInputError: the file has no vector, or cannot be read.
    """
    column = _vector_column(path)
    try:
        with storage.open_parquet(path) as file:
            for batch in file.iter_batches(64, columns=[column]):
                lengths = pc.list_value_length(batch[column]).drop_null()
                if len(lengths) and lengths[0].as_py():
                    return str(column), int(lengths[0].as_py())
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    raise UserInputError(f"{path!r} holds no vector in {column!r}. Get it again, or move it away.")


def _unreadable(path: str, error: Exception) -> UserInputError:
    return UserInputError(
        f"{path!r} cannot be read: {error}. Expected Parquet; get the file again."
    )


def _release(folder: str) -> str:
    """Returns the folder that has `train/behaviors.parquet`: the given one or one in it."""
    inside = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    found = [
        place
        for place in (folder, *filter(os.path.isdir, inside))
        if os.path.isfile(os.path.join(place, "train", "behaviors.parquet"))
    ]
    if not found:
        raise missing(folder, "train/behaviors.parquet, and no folder such as ebnerd_small with it")
    if len(found) > 1:
        raise UserInputError(
            f"{folder!r} has several releases: {', '.join(map(os.path.basename, found))}. Give the "
            "folder of one as --input, and put the vectors into it."
        )
    return found[0]


def _other_files(folder: str) -> list[str]:
    """Returns Parquet files, here and one folder below, that are of no release."""
    below = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    places = [
        place
        for place in filter(os.path.isdir, below)
        if os.path.basename(place) not in SPLITS
        and not os.path.isfile(os.path.join(place, "articles.parquet"))
    ]
    return [
        os.path.join(place, name)
        for place in (folder, *places)
        for name in sorted(os.listdir(place))
        if name.endswith(".parquet") and name[0] not in "._" and name != "articles.parquet"
    ]


def _vector_column(path: str) -> str | None:
    """Returns the one list of floats of a file of articles' vectors, None in another file."""
    lists = [
        field.name
        for field in schema(path)
        if kinds.is_list(field.type) and pa.types.is_floating(kinds.element(field.type))
    ]
    return lists[0] if ITEM in schema(path).names and len(lists) == 1 else None
