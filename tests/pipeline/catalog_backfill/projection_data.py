"""Exported models, catalogs and vectors for the tests of the backfill."""

import dataclasses
import hashlib
import io
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from features.embeddings import embedding_set
from features.files import manifest
from serving_signatures.client import projection_cache
from serving_signatures.export import parity_process
from serving_signatures.names import CACHES
from serving_signatures.signatures import ServingSignatures
from serving_signatures.versions import exported_version
from tests import manifests, synthetic

ID, TARGET = CACHES
ITEMS = 1000
"""Of the catalog that the tests share."""
SMALL = {"rows_per_part": 150, "batch_size": 64}
"""Options of a backfill that make several parts, and batches, of it."""


@dataclasses.dataclass(frozen=True)
class Saved:
    """A model on disk and in memory."""

    folder: str
    loaded: object


@dataclasses.dataclass(frozen=True)
class Data:
    """A catalog and its vectors, on disk and in memory."""

    items: str
    item_ids: np.ndarray
    embeddings: dict
    vectors: dict


def save_model(folder, model, embeddings=None):
    """Writes what `pipeline.export` writes, without its checks, which take a process."""
    signatures = ServingSignatures(model, embeddings)
    tf.saved_model.save(signatures.module(), str(folder), signatures.functions)
    manifest.write_manifest(
        str(folder / "assets.extra"),
        {
            "schema": model.schema.to_dict(),
            "tags": signatures.tags,
            "embeddings": {name: one.fingerprint for name, one in (embeddings or {}).items()},
            "files": exported_version.list_files(str(folder)),
        },
    )
    return str(folder)


def catalog(count):
    """Ids of the model's vocabulary, of its embedding sets, and far more that are in neither."""
    known = synthetic.item_ids()
    return np.concatenate([known, 7 + 10**12 + 3 * np.arange(count - len(known))])


def write_items(path, item_ids):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"item_id": item_ids, "title": ["x"] * len(item_ids)}), path)
    return str(path)


def vectors(item_ids, seed=0):
    """Float vectors by modality; an item's own do not depend on which others there are."""
    return {
        one.name: np.stack(
            [
                np.random.default_rng([seed, index, abs(int(item))])
                .standard_normal(one.dimension)
                .astype(np.float32)
                for item in item_ids
            ]
        )
        for index, one in enumerate(synthetic.SCHEMA.modalities)
    }


def write_embeddings(folder, item_ids, values):
    """Writes a set a modality and returns their folders."""
    for name, one in values.items():
        embedding_set.write_embedding_set(str(folder / name), item_ids, one, "encoder", "1")
    return {name: str(folder / name) for name in values}


def outputs(loaded, cache, item_ids, values=None):
    """What the signature itself gives, without the tag."""
    inputs = {"item_ids": item_ids}
    if cache == TARGET and values is not None:
        inputs = {f"vector_{name}": one for name, one in values.items()}
    found = parity_process.call(loaded.signatures[cache], inputs)
    del found[CACHES[cache]]
    return found


def assert_holds(output, cache, item_ids, expected, tag=None):
    """The published version has just these items and, within float noise, these rows."""
    opened = projection_cache.ProjectionCache.open(str(output), cache)
    assert opened.item_ids.tolist() == sorted(item_ids.tolist())
    assert tag is None or opened.tag == tag
    known, found = opened.lookup(item_ids)
    assert known.all()
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        assert found[name].dtype == wanted.dtype
        np.testing.assert_allclose(found[name], wanted, rtol=1e-6, atol=1e-6, err_msg=name)
    return opened


def as_lists(values):
    """A column as earlier caches had it: lists, of int8 too."""
    flat = pa.array(values.reshape(-1))
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def published(output, cache):
    """The manifest of the published version, after a look at every file that it names."""
    folder = pathlib.Path(output) / cache
    version = int((folder / "CURRENT").read_text())
    values = json.loads((folder / "versions" / f"{version:06d}.json").read_text())
    assert (values["version"], values["cache"]) == (version, cache)
    for part in values["parts"]:
        data = (folder / "parts" / part["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == part["sha256"] == part["file"][:-8]
    assert sum(part["rows"] for part in values["parts"]) == values["items"]
    assert values["computed"] + values["reused"] == values["items"]
    return values


def plant(cache_folder, name, change):
    """Changes a part's table, and lets the manifest of version 1 vouch for the new bytes."""
    sink = io.BytesIO()
    part = cache_folder / "parts" / name
    pq.write_table(change(pq.read_table(part)), sink)
    digest = hashlib.sha256(sink.getvalue()).hexdigest()
    part.unlink()
    part.with_name(f"{digest}.parquet").write_bytes(sink.getvalue())

    def other(values):
        (entry,) = [one for one in values["parts"] if one["file"] == name]
        entry.update(file=f"{digest}.parquet", sha256=digest)

    manifests.change(cache_folder / "versions" / "000001.json", other)


def contents(folder):
    """Bytes by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(pathlib.Path(folder).rglob("*"))
        if path.is_file()
    }


def write(folder, item_ids, values=None):
    """Writes a catalog and its vectors."""
    values = vectors(item_ids) if values is None else values
    return Data(
        write_items(folder / "items" / "a.parquet", item_ids),
        item_ids,
        write_embeddings(folder, item_ids, values),
        values,
    )


def copied(files, output):
    """Writes files by path into a folder of their own."""
    for name, content in files.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_bytes(content)
    return output
