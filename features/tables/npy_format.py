"""NumPy arrays of vectors, `X.npy`, with the ids of their rows beside them in `X.ids.*`."""

import hashlib
from collections.abc import Iterator, Sequence

import pyarrow as pa

from features.errors import UserInputError
from features.files import storage
from features.files.stamps import stamp
from features.tables.npy.arrays import NpyArray
from features.tables.npy.ids import ITEM_ID, SUFFIXES, id_file, ids_of
from features.tables.places import BATCH_ROWS, Content, Place

MAGIC = b"\x93NUMPY"
EMBEDDING = "embedding"

_PLACE_BYTES = 16 << 20
_TYPES = ("float16", "float32", "float64", "int8")


def inspect(path: str) -> Content:
    """Returns what an array holds: a column with ids and one with vectors.

    Raises:
      UserInputError: it is no array of vectors, or its ids are not there.
    """
    try:
        with NpyArray(path) as file:
            name = file.dtype.newbyteorder("=").name
            if len(file.shape) != 2 or not file.shape[1] or name not in _TYPES:
                raise pa.ArrowInvalid(f"it holds {name} of shape {list(file.shape)}")
            (rows, width), dtype = file.shape, file.dtype
        beside = id_file(path)
        before = stamp(beside)
        ids = ids_of(beside)
        if len(ids) != rows:
            raise pa.ArrowInvalid(f"it has {rows} rows, {beside!r} has {len(ids)} ids")
        fingerprint = _fingerprint(path, beside)
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"{path!r} is not readable as vectors: {error}. Expected an array of shape [N, M] of "
            f"{', '.join(_TYPES)}, and N ids in X{', X'.join(SUFFIXES)} beside X.npy."
        ) from error
    vectors = pa.list_(pa.from_numpy_dtype(dtype.newbyteorder("=")), width)
    step = max(_PLACE_BYTES // (width * dtype.itemsize), 1)
    places = [
        Place(number, start, min(step, rows - start), start, min(step, rows - start))
        for number, start in enumerate(range(0, rows, step))
    ]
    schema = pa.schema([(ITEM_ID, ids.type), (EMBEDDING, vectors)])
    return Content("npy", schema, tuple(places), fingerprint, {beside: before})


def read(path: str, place: Place, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Reads some rows.

    Raises:
      pa.ArrowException, OSError: the rows are not readable.
    """
    with NpyArray(path) as file:
        ids = ids_of(id_file(path))
        if len(ids) != file.shape[0]:
            raise pa.ArrowInvalid(f"{file.shape[0]} rows, {len(ids)} ids: the files changed")
        for start in range(place.start, place.start + place.rows, BATCH_ROWS):
            count = min(BATCH_ROWS, place.start + place.rows - start)
            columns = {ITEM_ID: ids.slice(start, count)}
            if EMBEDDING in names:
                values = pa.array(file.rows(start, count).ravel())
                columns[EMBEDDING] = pa.FixedSizeListArray.from_arrays(values, file.shape[1])
            yield pa.record_batch(columns).select(list(names))


def _fingerprint(*paths: str) -> dict[str, object]:
    """Returns size and sha256 of an array and its ids, one after the other."""
    digest, size = hashlib.sha256(), 0
    for path in paths:
        for chunk in storage.chunks(path):
            digest.update(chunk)
            size += len(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}
