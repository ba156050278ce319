"""Replicas share batches and follow the curve of one."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from features.files import manifest
from models import trained_model
from models.training import distribution
from tests import synthetic

# The smallest model: what replicas share and do apart is the same in all.
SETTINGS = (
    "--set=model.name=id_only",
    "--set=model.hidden=(8,)",
    "--set=model.embedding_width=4",
    "--set=model.head_width=4",
    "--set=model.id_dropout=0.0",
    "--set=training.batch_candidates=64",
    "--set=training.batches_of=requests",
    "--set=training.epochs=1",
    "--set=training.evaluations_per_epoch=3",
    "--set=training.learning_rate=0.01",
    "--set=training.optimizer=lazy_adam",
    "--set=training.checkpoint_seconds=0.1",
)
SERVED = {"chief": 1, "worker": 1, "ps": 2}
TWO_DEVICES = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pipeline import train
train.main()
"""
SMALL_PARTS = """
from models.training import distribution
distribution._SMALLEST_PART = 64  # Bytes: all but the smallest variables are on both servers.
from pipeline import train
train.main()
"""


def batch_of(count: int) -> dict[str, tf.Tensor]:
    requests = synthetic.random_requests(count=count, seed=5)
    return synthetic.batch_of(requests)


@pytest.mark.parametrize(("requests", "replicas"), [(1, 1), (1, 2), (5, 2), (6, 3), (2, 4)])
def test_every_request_is_in_one_share_and_shares_are_of_one_size(requests, replicas):
    batch = batch_of(requests)
    shares = [distribution.share(batch, number, replicas) for number in range(replicas)]
    assert {len(share["user_id"]) for share in shares} == {-(-requests // replicas)}
    shown = [share["candidate_mask"].numpy().any(axis=1) for share in shares]
    for name, values in batch.items():
        kept = [share[name].numpy()[mask] for share, mask in zip(shares, shown, strict=True)]
        order = np.argsort(
            np.concatenate([np.arange(n, requests, replicas) for n in range(replicas)])
        )
        np.testing.assert_array_equal(np.concatenate(kept)[order], values)


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": {"worker": 3}}'])
def test_a_cluster_that_cannot_be_read_is_refused(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserInputError, match="TF_CONFIG is"):
        distribution.strategy("auto")


def test_several_workers_without_a_cluster_are_refused(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UserInputError, match="names no workers"):
        distribution.strategy("multi_worker")
    assert distribution.strategy("auto").num_replicas_in_sync == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distribution")
    synthetic.write_example_set(str(folder / "examples"))
    assert trained(folder, "one") == [0]
    return folder


def trained(
    folder: Path, name: str, *flags: str, program=("-m", "pipeline.train"), clusters=("{}",)
):
    """Trains as a process for each `TF_CONFIG`, and returns their codes."""
    command = [sys.executable, *program, *paths(folder, name), *SETTINGS, *flags]
    processes = [
        subprocess.Popen(command, env={**os.environ, "TF_CONFIG": cluster}, stderr=subprocess.PIPE)
        for cluster in clusters
    ]
    outputs = [process.communicate()[1].decode() for process in processes]
    print(*outputs, sep="\n\n")
    return [process.returncode for process in processes]


def paths(folder: Path, name: str) -> list[str]:
    return [f"--examples={folder}/examples", f"--model_dir={folder}/{name}"]


def ports(count: int) -> list[str]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    addresses = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def task_of(cluster: dict[str, list[str]], job: str, index: int) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})


def assert_same_curve(folder: Path, *names: str) -> None:
    """Float noise of sums in another order, and no more."""
    one, other = (manifest.read_manifest(str(folder / name))["training"] for name in names)
    assert len(one["history"]) == len(other["history"]) == 3
    for row, again in zip(one["history"], other["history"], strict=True):
        assert row == pytest.approx(again, abs=2e-4)
    first, second = (
        trained_model.read_trained_model(str(folder / name)).trainable_variables for name in names
    )
    for variable, again in zip(first, second, strict=True):
        np.testing.assert_allclose(variable, again, atol=1e-3)


@pytest.mark.slow
def test_two_devices_follow_the_curve_of_one(folder):
    flags = ["--set=training.strategy=mirrored"]
    assert trained(folder, "devices", *flags, program=("-c", TWO_DEVICES)) == [0]
    assert_same_curve(folder, "one", "devices")


@pytest.mark.slow(seconds=15)
def test_two_workers_follow_the_curve_of_one_and_leave_one_model(folder):
    cluster = {"worker": ports(2)}
    workers = [task_of(cluster, "worker", index) for index in range(2)]
    assert trained(folder, "workers", clusters=workers) == [0, 0]
    assert_same_curve(folder, "one", "workers")
    left = [sorted(path.name for path in (folder / name).iterdir()) for name in ("one", "workers")]
    assert left[0] == left[1]


@pytest.mark.slow(seconds=20)
def test_workers_of_parameter_servers_follow_the_curve_and_see_every_batch(folder):
    """One worker takes its batches in order, so that only the placement of variables differs."""
    assert served(folder, "served") == [0]
    assert_same_curve(folder, "one", "served")


@pytest.mark.slow(seconds=25)
def test_variables_in_parts_follow_the_curve_of_whole_ones(folder):
    """From a model's weights, because parts draw initial values of their own."""
    own = "training.table_optimizers={'item_id': {'optimizer': 'adagrad'}}"
    flags = [f"--warm_start={folder}/one", f"--set={own}"]
    assert trained(folder, "whole", *flags) == [0]
    assert served(folder, "parts", *flags, program=("-c", SMALL_PARTS)) == [0]
    assert_same_curve(folder, "whole", "parts")


def served(folder: Path, name: str, *flags: str, program=("-m", "pipeline.train")) -> list[int]:
    """Trains with two parameter servers and a worker, and returns the chief's code."""
    addresses = iter(ports(4))
    cluster = {job: [next(addresses) for _ in range(n)] for job, n in SERVED.items()}
    servers = [
        subprocess.Popen(
            [sys.executable, *program, *paths(folder, name), *SETTINGS, *flags],
            env={**os.environ, "TF_CONFIG": task_of(cluster, job, index)},
        )
        for job, n in SERVED.items()
        for index in range(n)
        if job != "chief"
    ]
    try:
        chief = [task_of(cluster, "chief", 0)]
        return trained(folder, name, *flags, program=program, clusters=chief)
    finally:
        for server in servers:
            server.kill()
            server.wait()
