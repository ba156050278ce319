"""Candidates that a champion and a challenger scored, as arrays."""

import dataclasses

import numpy as np

from pipeline.version_gate.comparison import HeldOut, Task
from pipeline.version_gate.options import GateLimits

LIMITS = GateLimits()


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def held_out(seed=0, users=400, each=10, tasks=("click",), noise=0.0):
    """Calibrated predictions of random labels; the challenger sees them through noise.

    The slice `cold` of `item_train_count` holds a quarter of the candidates.
    """
    rng = np.random.default_rng(seed)
    count = users * each
    user_id = np.repeat(rng.integers(0, 2**62, users), each)
    made = {}
    for task in tasks:
        truth = rng.normal(-1, 1, count)
        label = (rng.random(count) < sigmoid(truth)).astype(np.float32)
        champion = sigmoid(truth).astype(np.float32)
        seen = (truth + 1) / np.sqrt(1 + noise**2) + noise * rng.standard_normal(count) - 1
        made[task] = Task(label, sigmoid(seen).astype(np.float32) if noise else champion, champion)
    cold = rng.random(count) < 0.25
    return HeldOut(user_id, made, {"item_train_count": {"0": cold, "1+": ~cold}})


def with_challenger(given, scores, task="click"):
    """Replaces what the challenger predicts."""
    other = dataclasses.replace(given.tasks[task], challenger=scores.astype(np.float32))
    return dataclasses.replace(given, tasks={**given.tasks, task: other})


def alone(given):
    """Takes the champion away."""
    tasks = {name: dataclasses.replace(one, champion=None) for name, one in given.tasks.items()}
    return dataclasses.replace(given, tasks=tasks)
