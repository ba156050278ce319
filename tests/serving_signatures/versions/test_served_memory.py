"""The memory of loaded versions against a process that loads them as TensorFlow Serving does."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from serving_signatures.versions import served_memory
from serving_signatures.versions.rollout import Rollout

# A session per version, its variables restored into it: without TensorFlow's Python objects.
LOAD = """
import json, sys, psutil, tensorflow as tf
sessions, found = [], []
for folder in sys.argv[1:]:
    sessions.append(tf.compat.v1.Session(graph=tf.Graph()))
    with sessions[-1].graph.as_default():
        tf.compat.v1.saved_model.loader.load(sessions[-1], ["serve"], folder)
    found.append(psutil.Process().memory_info().rss)
print(json.dumps(found))
"""


def save(folder: str, mib: int) -> int:
    module = tf.Module()
    rows = np.random.default_rng(mib).standard_normal((mib * 2**12, 64), np.float32)
    module.table = tf.Variable(rows)
    look_up = tf.function(
        lambda ids: tf.gather(module.table, ids), [tf.TensorSpec([None], tf.int64)]
    )
    tf.saved_model.save(module, folder, look_up)
    return sum(
        os.path.getsize(os.path.join(path, name))
        for path, _, names in os.walk(folder)
        for name in names
    )


@pytest.mark.slow(seconds=10)
def test_a_version_takes_no_more_than_is_planned_for_it(tmp_path):
    folders = [str(tmp_path / str(number)) for number in range(3)]
    sizes = [save(folder, mib) for folder, mib in zip(folders, (1, 100, 300), strict=True)]
    command = [sys.executable, "-c", LOAD, *folders]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    taken = np.diff(json.loads(run.stdout.splitlines()[-1]))
    for size, grown in zip(sizes[1:], taken, strict=True):
        planned = served_memory.needed_bytes({1: size}) - served_memory.needed_bytes({})
        assert size < grown < planned


def test_the_message_has_each_version_and_enough_memory():
    sizes = {7: 3 * 2**30, 12: 2**29 + 1}
    enough = served_memory.needed_bytes(sizes) / 2**30
    with pytest.raises(UserInputError) as raised:
        served_memory.check(sizes, 2, "--memory_gib")
    words = str(raised.value).split()
    told = float(words[words.index("need") + 1])
    assert enough <= told < enough + 0.01
    assert "version 7 3.43, version 12 0.68, the server itself 0.50" in str(raised.value)
    served_memory.check(sizes, told, "--memory_gib")


@pytest.mark.parametrize(
    ("before", "after", "loaded"),
    [
        (set(), {1}, {1}),
        ({1}, {1, 2}, {1, 2}),
        # TensorFlow Serving's AvailabilityPreservingPolicy: with 2 ready it unloads 1 first.
        ({1, 2}, {2, 3}, {2, 3}),
        # Nothing that stays: it unloads all but the newest, and that one when 3 has loaded.
        ({1, 2}, {3}, {2, 3}),
    ],
)
def test_what_is_loaded_at_one_time(before, after, loaded):
    def rollout(served):
        return Rollout("dmf", "/models/dmf", {}, frozenset(served))

    assert rollout(after).loaded_after(rollout(before)) == loaded
