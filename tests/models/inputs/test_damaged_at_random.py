"""Data sets damaged at random: refused by name, or read as before; `DAMAGED=10000` tries more."""

import os
import pathlib
import random
import shutil

from features.errors import UserInputError
from models.inputs.example_set import ExampleSet
from tests import synthetic

SPLITS = {"train": 24, "validation": 9, "test": 9}
DAMAGED = int(os.environ.get("DAMAGED", "200"))


def everything(folder):
    """What readers of a data set see of it: the bytes of its records, the ids and the schema."""
    examples = ExampleSet.open(str(folder))
    records = {
        split: [pathlib.Path(path).read_bytes() for path in examples.shards(split)]
        for split in SPLITS
    }
    return records, examples.vocabulary().tolist(), examples.schema, examples.manifest


def damage_at_random(folder, rng):
    """Changes, cuts, removes or swaps one file, and returns the names of the files in question."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path, other = rng.sample(files, 2)
    data, kind = path.read_bytes(), rng.choice(("byte", "bit", "cut", "remove", "swap", "more"))
    place = rng.randrange(len(data))
    changed = {
        "byte": rng.randrange(256),
        "bit": data[place] ^ 1 << rng.randrange(8),
    }.get(kind)
    if changed is not None:
        path.write_bytes(data[:place] + bytes([changed]) + data[place + 1 :])
    elif kind == "cut":
        path.write_bytes(data[:place])
    elif kind == "more":
        path.write_bytes(data + data[place : place + 1])
    elif kind == "remove":
        path.unlink()
    else:
        path.write_bytes(other.read_bytes())
        other.write_bytes(data)
        return {path.name, other.name}
    return {path.name}


def test_random_damage_is_refused_by_name_or_changes_nothing(tmp_path):
    folder = tmp_path / "set"
    synthetic.write_example_set(str(folder), splits=SPLITS)
    whole, rng, refused = everything(folder), random.Random(0), 0
    for number in range(DAMAGED):
        copy = tmp_path / str(number)
        shutil.copytree(folder, copy)
        names = damage_at_random(copy, rng)
        try:
            assert everything(copy) == whole, names
        except UserInputError as error:
            refused += 1
            assert any(name in str(error) for name in names), error
        shutil.rmtree(copy)
    assert refused > 0.9 * DAMAGED
