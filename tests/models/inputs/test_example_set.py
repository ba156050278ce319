"""A data set that was damaged, replaced or edited is refused by name, before it is read."""

import dataclasses
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from features.files import manifest
from features.records import record_files
from models.evaluation import scoring
from models.inputs import example_part, input_pipeline, shard_reading
from models.inputs.example_set import ExampleSet
from tests import manifests, synthetic

SPLITS = {"train": 24, "validation": 9, "test": 9}
SHARD = "train-00001-of-00003.tfrecord"
VOCABULARY = "vocabulary/item_id.txt"


@pytest.fixture
def folder(tmp_path):
    synthetic.write_example_set(str(tmp_path / "set"), splits=SPLITS)
    return tmp_path / "set"


@pytest.fixture(params=["tfrecord", "tfrecord.gz"])
def shard(tmp_path, request):
    """A train shard of a data set, plain and compressed."""
    synthetic.write_example_set(str(tmp_path / "of"), splits=SPLITS, extension=request.param)
    return (tmp_path / "of" / SHARD).with_suffix(f".{request.param}")


def change(folder: pathlib.Path, edit) -> None:
    manifests.change(folder / manifest.FILE_NAME, edit)


def flip(path: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)


def reverse(path: pathlib.Path) -> None:
    """The same records in another order: valid, and of equal size where nothing is compressed."""
    records = [record.numpy() for record in record_files.read(str(path))]
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else "") as writer:
        for record in reversed(records):
            writer.write(record)


def swap(path: pathlib.Path) -> None:
    other = path.with_name(path.name.replace("00001", "00002"))
    path.rename(f"{path}.tmp")
    other.rename(path)
    pathlib.Path(f"{path}.tmp").rename(other)


DAMAGE = {
    "one bit": flip,
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: path.write_bytes(b""),
    "missing": pathlib.Path.unlink,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "swapped": swap,
    "other records": reverse,
}
damages = pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)


@damages
@pytest.mark.guarantee("damaged", "train", "evaluate")
def test_a_shard_that_is_not_the_joins_is_named(shard, damage):
    damage(shard)
    examples = ExampleSet.open(str(shard.parent))
    with pytest.raises(UserInputError, match=rf"{shard.name}.*[Jj]oin again"):
        examples.shards("train")
    assert len(examples.shards("test")) == 3


@damages
@pytest.mark.guarantee("replaced", "train", "evaluate")
def test_a_shard_that_changes_while_it_is_read_is_named(shard, damage):
    examples = ExampleSet.open(str(shard.parent))
    paths = examples.shards("train")
    # No prefetching: the reader opens the second shard after the damage.
    records = iter(record_files.read_all(paths))
    with (
        pytest.raises(UserInputError, match=rf"{shard.name}.*[Jj]oin again"),
        shard_reading.guarded(examples, paths),
    ):
        next(records)
        damage(shard)
        for _ in records:
            pass


def test_a_shard_that_was_only_touched_is_read(folder):
    examples = ExampleSet.open(str(folder))
    with shard_reading.guarded(examples, examples.shards("train")):
        os.utime(folder / SHARD, (1, 1))


def test_a_shard_may_be_a_link(folder, tmp_path):
    (folder / SHARD).rename(tmp_path / "elsewhere")
    (folder / SHARD).symlink_to(tmp_path / "elsewhere")
    assert len(ExampleSet.open(str(folder)).shards("train")) == 3
    flip(tmp_path / "elsewhere")
    with pytest.raises(UserInputError, match=SHARD):
        ExampleSet.open(str(folder)).shards("train")


def test_errors_of_others_pass_through(folder):
    examples = ExampleSet.open(str(folder))
    with (
        pytest.raises(tf.errors.InvalidArgumentError),
        shard_reading.guarded(examples, examples.shards("train")),
    ):
        tf.reshape(tf.zeros(3), [2, 2])


def test_records_that_the_schema_does_not_describe_are_named(folder):
    change(folder, lambda values: values["schema"]["item_features"][1].update(width=2))
    examples = ExampleSet.open(str(folder))
    with (
        pytest.raises(UserInputError, match=r"Shard .*train-00000.* cannot be read: .+ again"),
        shard_reading.guarded(examples, examples.paths("train")),
    ):
        list(input_pipeline.evaluation_batches(examples, "train"))


def one_record_more(values):
    shard, split = values["shards"][SHARD], values["splits"]["train"]
    shard["records"] += 1
    split["records"] += 1
    split["candidates"] += 2
    split["candidates_per_record"]["2"] = split["candidates_per_record"].get("2", 0) + 1


def test_a_manifest_that_counts_other_records_than_the_shards_have_is_refused(folder):
    change(folder, one_record_more)
    examples = ExampleSet.open(str(folder))
    with pytest.raises(UserInputError, match=r"split 'train'.*candidates, but the manifest says"):
        scoring.train_counts(examples)
    batches = input_pipeline.training_batches(examples, "train", 1, 10, 0)
    count = input_pipeline.count_batches(examples, "train", 1)

    @tf.function
    def step(iterator):
        return next(iterator)["request_id"]

    with (
        pytest.raises(UserInputError, match=rf"{SHARD}' has 8 records, but the manifest says 9"),
        shard_reading.guarded(examples, examples.paths("train")),
    ):
        iterator = iter(batches)
        for _ in range(count):
            step(iterator)


def rename_shard(name):
    def edit(values):
        values["splits"]["train"]["shards"][1] = name
        values["shards"][name] = values["shards"].pop(SHARD)

    return edit


def rename_vocabulary(name):
    return lambda values: values.update(vocabulary={name: values["vocabulary"][VOCABULARY]})


OUTSIDE = ("../x", "/x", "s3://bucket/x", "a/../../x", "", ".", "..", "./x", "a//x", "x\0y")


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize(
    "rename",
    [
        rename_shard,
        rename_vocabulary,
        lambda name: lambda values: values.update(parts=[name]),
        lambda name: lambda values: values.update(state={name: {}}),
    ],
    ids=["shard", "vocabulary", "part", "state"],
)
def test_names_that_leave_the_folder_are_refused(folder, rename, name):
    # With a checksum of its own: the name alone is what is wrong.
    change(folder, rename(name))
    with pytest.raises(UserInputError, match="expected a name below its own folder"):
        ExampleSet.open(str(folder))


FAULTS = {
    "splits: Field required": lambda values: values.pop("splits"),
    "splits: Input should be a valid dictionary": lambda values: values.update(splits=[]),
    "splits.train.shards: Input": lambda v: v["splits"]["train"].update(shards=None),
    "splits.train.candidates: Input": lambda v: v["splits"]["train"].update(candidates="9"),
    "splits.train.records: Field": lambda v: v["splits"]["train"].pop("records"),
    "splits.train: candidates_per_record adds up to 24 records": lambda v: v["splits"][
        "train"
    ].update(records=23),
    "24 records, its shards have 25": lambda v: v["shards"][SHARD].update(records=9),
    f"not so for .'{SHARD}'": lambda v: v["shards"].pop(SHARD),
    "not so for .'test-0": lambda v: v["splits"]["test"].update(v["splits"]["train"]),
    f"shards.{SHARD}.sha256: Input": lambda v: v["shards"][SHARD].update(sha256=7),
    f"shards.{SHARD}.bytes: Input": lambda v: v["shards"][SHARD].update(bytes=None),
    "schema: Input": lambda values: values.update(schema=[]),
    "vocabulary: Dictionary should": lambda values: values.update(vocabulary={}),
    "vocabulary: Input": lambda values: values.update(vocabulary=None),
    f"vocabulary.{VOCABULARY}.sha256: ": lambda v: v["vocabulary"][VOCABULARY].update(sha256="x"),
    "embedding_sets.text.fingerprint: ": lambda v: v["embedding_sets"]["text"].clear(),
    "similarity.text.label_1: ": lambda v: v.update(similarity={"text": {"label_0": []}}),
    "counts.read: ": lambda values: values.update(counts={"read": -1}),
    "parts: ": lambda values: values.update(parts=None),
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_manifest_of_another_structure_is_refused(folder, message):
    change(folder, FAULTS[message])
    with pytest.raises(UserInputError, match=f"not as a finished job wrote it: .*{message}"):
        ExampleSet.open(str(folder))


def test_what_earlier_versions_wrote_is_read(folder):
    change(folder, lambda values: [one.pop("bytes") for one in values["shards"].values()])
    manifests.earlier(folder / manifest.FILE_NAME, without=("vocabulary",))
    examples = ExampleSet.open(str(folder))
    assert len(examples.shards("train")) == 3
    assert len(examples.vocabulary()) == synthetic.ITEMS - 5


def one_id_more(path):
    ids = path.read_text().split()
    ids[3] = str(int(ids[3]) + 1)
    path.write_text("\n".join(ids) + "\n")


@pytest.mark.parametrize("damage", [one_id_more, DAMAGE["cut"], DAMAGE["emptied"], flip])
def test_a_vocabulary_that_is_not_the_joins_is_named(folder, damage):
    damage(folder / VOCABULARY)
    with pytest.raises(UserInputError, match=rf"{VOCABULARY}.* is damaged .*join again"):
        ExampleSet.open(str(folder)).vocabulary()


def test_a_vocabulary_of_another_length_than_its_manifest_says_is_refused(folder):
    change(folder, lambda v: v["vocabulary"][VOCABULARY].update(ids=54))
    with pytest.raises(UserInputError, match=r"has 55 ids, but the manifest says 54"):
        ExampleSet.open(str(folder)).vocabulary()


@pytest.mark.parametrize(
    "text",
    [
        b"1\n1.5\n",
        b"1_0\n",
        b"1\n2\x003\n",
        "٣\n".encode(),
        b"\xff",
        b"5\t100\n",
        b"9" * 20,
        b"2\n1",
    ],
)
def test_a_file_that_is_no_list_of_ids_is_no_vocabulary(folder, tmp_path, text):
    (tmp_path / "ids").write_bytes(text)
    examples = ExampleSet.open(str(folder)).with_vocabulary(str(tmp_path / "ids"))
    with pytest.raises(UserInputError, match=r"ids' must "):
        examples.vocabulary()


def test_a_part_that_was_replaced_by_another_is_refused(folder, tmp_path):
    parted = tmp_path / "parted"
    own, other = parted / "part=a", tmp_path / "other"
    shutil.copytree(folder, own)
    synthetic.write_example_set(str(other), splits=SPLITS, seed=5)
    values = manifest.read_manifest(str(own))
    values["shards"] = {f"part=a/{name}": one for name, one in values["shards"].items()}
    for split in values["splits"].values():
        split["shards"] = [f"part=a/{name}" for name in split["shards"]]
    manifest.write_manifest(str(parted), {**values, "parts": ["a"]})
    examples = ExampleSet.open(str(parted))
    assert len(example_part.open_part(examples, "a").shards("train")) == 3
    shutil.rmtree(own)
    shutil.copytree(other, own)
    with pytest.raises(UserInputError, match=r"part=a.*the part was replaced"):
        example_part.open_part(examples, "a")


def test_a_vocabulary_folder_is_compared_with_its_manifest(folder, tmp_path):
    own = tmp_path / "vocabulary"
    own.mkdir()
    shutil.copy(folder / VOCABULARY, own / "item_id.txt")
    entry = manifest.read_manifest(str(folder))["vocabulary"][VOCABULARY]
    manifest.write_manifest(str(own), {"vocabulary": {"item_id.txt": entry}})
    examples = ExampleSet.open(str(folder)).with_vocabulary(str(own))
    np.testing.assert_array_equal(examples.vocabulary(), synthetic.item_ids()[:-5])
    one_id_more(own / "item_id.txt")
    with pytest.raises(UserInputError, match=r"item_id.txt' is damaged .*Run build_vocabulary"):
        examples.vocabulary()
    manifest.write_manifest(str(own), {"vocabulary": ["item_id.txt"]})
    with pytest.raises(UserInputError, match="not as a finished job wrote it"):
        examples.with_vocabulary(str(own))
    assert dataclasses.replace(examples, vocabulary_path=None).vocabulary().size
