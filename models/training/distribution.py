"""Training on several devices or workers: every replica takes its share of every batch.

A replica's share is every N-th request of a batch. So N replicas together see the batches that one
would see alone, in the same order, and the loss is the mean over all their candidates: N workers
follow the same curve as one. Each worker reads the whole train split, which costs less than its
steps, and every record is trained on once per pass.

Shapes: R requests, N replicas.
"""

import json
import os
from collections.abc import Iterable

import tensorflow as tf

from features.errors import UserInputError
from features.schema import CANDIDATE_MASK
from models.inputs.batch import Batch
from models.training import worker_folder
from models.training.config import StrategyName

_CLUSTER = "TF_CONFIG"
_SMALLEST_PART = 256 << 10
"""Smaller variables, in bytes, are not sharded over parameter servers."""

_VOTE_STEPS = 10
"""Steps between two votes of several workers, each of which costs a network round trip."""


def strategy(kind: StrategyName) -> tf.distribute.Strategy:
    """Returns the distribution strategy; must be called before any other use of TensorFlow.

    A worker or parameter server of `parameter_server` serves until its process ends: for these
    tasks the call does not return.

    Args:
      kind: `auto` selects `parameter_server` if the environment's `TF_CONFIG` names parameter
        servers, `multi_worker` if it names several workers, and else `one_device`; `mirrored` uses
        every device of this machine.

    Raises:
      UserInputError: `TF_CONFIG` is malformed, or lacks the tasks of the strategy.
    """
    workers, servers = _tasks("chief", "worker"), _tasks("ps")
    if kind == "parameter_server" or (kind == "auto" and servers):
        if not servers or not _tasks("chief") or not _tasks("worker"):
            raise UserInputError(
                f"training.strategy is {kind!r}, for which {_CLUSTER} has to name a chief, workers "
                f"and ps; received {os.environ.get(_CLUSTER, '')!r}."
            )
        return _parameter_server_strategy(servers)
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
    """Returns batches that the current strategy distributes as one share per replica.

    Args:
      batches: batches of R requests, the same on every worker.
    """
    current = tf.distribute.get_strategy()
    count = current.num_replicas_in_sync
    if count == 1:
        return batches

    def worker_shares(context: tf.distribute.InputContext) -> tf.data.Dataset:
        # A worker with two replicas repeats each batch twice, and numbers the copies globally.
        own = count // context.num_input_pipelines
        first = context.input_pipeline_id * own
        return batches.flat_map(
            lambda batch: tf.data.Dataset.from_tensors(batch).repeat(own).enumerate(first)
        ).map(lambda replica, batch: share(batch, replica, count))

    return current.distribute_datasets_from_function(worker_shares)


def share(batch: Batch, replica: tf.Tensor | int, count: int) -> dict[str, tf.Tensor]:
    """Returns every N-th request of a batch, starting with the one at the replica's number.

    All shares have `ceil(R / N)` requests; short shares are filled with a fully masked request.
    Example with R = 3, N = 2: replica 0 gets requests 0 and 2, replica 1 gets request 1 and a
    copy of request 0 without candidates.

    Args:
      batch: R requests, R at least 1.
      replica: the replica's number, from 0.
      count: N.
    """
    requests = tf.shape(batch[CANDIDATE_MASK], tf.int64)[0]
    size = (requests + count - 1) // count
    places = tf.cast(replica, tf.int64) + count * tf.range(size)
    inside = places < requests
    places = tf.where(inside, places, 0)
    taken = {name: tf.gather(values, places) for name, values in batch.items()}
    return taken | {CANDIDATE_MASK: taken[CANDIDATE_MASK] & inside[:, None]}


def any_worker(flag: bool, step: int) -> bool:
    """Returns whether the flag is set on any worker.

    Several workers vote at every tenth step only; at other steps the result is False.

    Args:
      flag: this worker's.
      step: the current step, the same on every worker.
    """
    current = tf.distribute.get_strategy()
    if not isinstance(current, tf.distribute.MultiWorkerMirroredStrategy):
        return flag
    if step % _VOTE_STEPS:
        return False
    votes = current.run(tf.constant, (int(flag),))
    return bool(current.reduce(tf.distribute.ReduceOp.SUM, votes, axis=None) > 0)


def wait_for_all() -> None:
    """Blocks until every worker has called this function."""
    any_worker(True, step=0)


def is_chief() -> bool:
    """Returns whether this worker writes the job's output."""
    resolver = getattr(tf.distribute.get_strategy(), "cluster_resolver", None)
    if resolver is None or resolver.task_type is None or resolver.task_type == "chief":
        return True
    return resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs


def own_folder(folder: str) -> str:
    """Returns the given folder for the chief, and a temporary one for other workers.

    All workers take part in writing a checkpoint, because values are summed over workers, but only
    the chief's files are kept.
    """
    return folder if is_chief() else worker_folder.make()


def batches_in_flight() -> int:
    """Returns the number of batches to schedule ahead: two per worker, one running, one queued."""
    return 2 * _tasks("worker")


def parts(variables: Iterable[tf.Variable]) -> list[tf.Variable]:
    """Returns variables, with each one sharded over parameter servers replaced by its shards."""
    spread = tf.__internal__.distribute.ShardedVariable  # There is no public name.
    return [
        part for one in variables for part in (one.variables if isinstance(one, spread) else [one])
    ]


def _parameter_server_strategy(count: int) -> tf.distribute.ParameterServerStrategy:
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
