"""Training on several devices or workers: every replica takes its share of every batch.

A replica's share is each N-th request of a batch, so N replicas see together what one would see
alone, in the same order, and the loss is the mean over the candidates of them all: N workers
follow the same curve as one. Each worker reads the whole train split, which costs less than
its steps, and every record is trained on once a pass.

R requests, N replicas.
"""

import json
import os
import tempfile
from collections.abc import Iterable

import tensorflow as tf

from features.errors import UserInputError
from features.schema import CANDIDATE_MASK
from models.inputs.batch import Batch
from models.training.config import StrategyName

_CLUSTER = "TF_CONFIG"
_SMALLEST_PART = 256 << 10
"""Bytes of a variable below which it is not spread over parameter servers."""

_QUESTION_STEPS = 10
"""Steps of several workers between two questions: each costs a round over the network."""


def strategy(kind: StrategyName) -> tf.distribute.Strategy:
    """Returns how training is distributed; to be called before anything else of TensorFlow.

    Args:
      kind: `auto` is `parameter_server` where the environment's `TF_CONFIG` names parameter
        servers, `multi_worker` where it names several workers, and otherwise `one_device`;
        `mirrored` uses every device of this machine. A worker or parameter server of
        `parameter_server` serves for as long as its process lives, and never returns from here.

    Raises:
      UserInputError: `TF_CONFIG` is not what TensorFlow reads, or lacks the cluster.
    """
    workers, servers = _tasks("chief", "worker"), _tasks("ps")
    if kind == "parameter_server" or (kind == "auto" and servers):
        if not servers or not _tasks("chief") or not _tasks("worker"):
            raise UserInputError(
                f"training.strategy is {kind!r}, for which {_CLUSTER} has to name a chief, workers "
                f"and ps; received {os.environ.get(_CLUSTER, '')!r}."
            )
        return _of_parameter_servers(servers)
    if kind == "multi_worker" and not workers:
        raise UserInputError(
            f"training.strategy is 'multi_worker', but {_CLUSTER} names no workers. Start every "
            f'worker with {_CLUSTER}=\'{{"cluster": {{"worker": ["HOST:PORT", ...]}}, "task": '
            '{"type": "worker", "index": 0}}\'.'
        )
    if kind == "multi_worker" or (kind == "auto" and workers > 1):
        return tf.distribute.MultiWorkerMirroredStrategy()
    if kind == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def shares(batches: tf.data.Dataset) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Returns batches of which each replica of the current strategy gets its share.

    Args:
      batches: of R requests, the same on every worker.
    """
    current = tf.distribute.get_strategy()
    count = current.num_replicas_in_sync
    if count == 1:
        return batches

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        own = count // context.num_input_pipelines
        first = context.input_pipeline_id * own
        return batches.flat_map(
            lambda batch: tf.data.Dataset.from_tensors(batch).repeat(own).enumerate(first)
        ).map(lambda replica, batch: share(batch, replica, count))

    return current.distribute_datasets_from_function(of_worker)


def share(batch: Batch, replica: tf.Tensor | int, count: int) -> dict[str, tf.Tensor]:
    """Returns every `count`-th request of a batch, from the one of the replica's number on.

    All replicas get `ceil(R / count)`; who would have one fewer gets one without candidates.

    Args:
      batch: of R requests, R at least 1.
      replica: from 0.
      count: N.
    """
    requests = tf.shape(batch[CANDIDATE_MASK], tf.int64)[0]
    size = (requests + count - 1) // count
    places = tf.cast(replica, tf.int64) + count * tf.range(size)
    inside = places < requests
    places = tf.where(inside, places, 0)
    taken = {name: tf.gather(values, places) for name, values in batch.items()}
    return taken | {CANDIDATE_MASK: taken[CANDIDATE_MASK] & inside[:, None]}


def any_worker(wish: bool, step: int) -> bool:
    """Returns whether any worker wishes something; several workers ask every ten steps only.

    Args:
      wish: this worker's.
      step: the same on every worker.
    """
    current = tf.distribute.get_strategy()
    if not isinstance(current, tf.distribute.MultiWorkerMirroredStrategy):
        return wish
    if step % _QUESTION_STEPS:
        return False
    votes = current.run(tf.constant, (int(wish),))
    return bool(current.reduce(tf.distribute.ReduceOp.SUM, votes, axis=None) > 0)


def wait_for_all() -> None:
    """Returns once every worker has come here."""
    any_worker(True, step=0)


def is_chief() -> bool:
    """Returns whether this worker writes what the job leaves."""
    resolver = getattr(tf.distribute.get_strategy(), "cluster_resolver", None)
    if resolver is None or resolver.task_type is None or resolver.task_type == "chief":
        return True
    return resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs


def own_folder(folder: str) -> str:
    """Returns a folder to write to: the chief's is the one that is given.

    Others take part in writing, as values are summed over workers then, but what they write is
    not kept.
    """
    return folder if is_chief() else tempfile.mkdtemp(prefix="worker-")


def batches_in_flight() -> int:
    """Returns how many batches are given out at once: one that each worker is at, one to follow."""
    return 2 * _tasks("worker")


def parts(variables: Iterable[tf.Variable]) -> list[tf.Variable]:
    """Returns variables, and of each that lies on several parameter servers its parts."""
    spread = tf.__internal__.distribute.ShardedVariable  # TensorFlow's one name for it.
    return [
        part for one in variables for part in (one.variables if isinstance(one, spread) else [one])
    ]


def _of_parameter_servers(count: int) -> tf.distribute.ParameterServerStrategy:
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if resolver.task_type in ("worker", "ps"):
        tf.distribute.Server(
            resolver.cluster_spec(),
            job_name=resolver.task_type,
            task_index=resolver.task_id,
            protocol="grpc",
        ).join()
    partitioner = tf.distribute.experimental.partitioners.MinSizePartitioner(
        _SMALLEST_PART, max_shards=count
    )
    return tf.distribute.ParameterServerStrategy(resolver, variable_partitioner=partitioner)


def _tasks(*jobs: str) -> int:
    text = os.environ.get(_CLUSTER, "")
    try:
        cluster = json.loads(text or "{}").get("cluster", {})
        return sum(len(cluster.get(name, ())) for name in jobs)
    except (ValueError, AttributeError, TypeError) as error:
        raise UserInputError(
            f"{_CLUSTER} is {text!r}, expected a JSON object with cluster and task: {error}."
        ) from error
