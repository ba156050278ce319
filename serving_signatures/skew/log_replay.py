"""Logged requests through the signatures that they called."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from serving_signatures import names
from serving_signatures.skew.loaded_version import LoadedVersion, reason
from serving_signatures.skew.records import Record
from serving_signatures.skew.replay import SCORE_TOLERANCE
from serving_signatures.skew.request_log import LoggedRequest
from serving_signatures.skew.tally import Tally


def replay(model: LoadedVersion, requests: Sequence[LoggedRequest], tally: Tally) -> None:
    """Calls the logged signatures with the logged inputs and compares what was answered.

    Numbers may differ by `SCORE_TOLERANCE`, everything else not at all. A request that the model
    refuses, though it was answered, differs as `<signature>:refused`.

    Args:
      model: what is to answer as was logged.
      requests: with their responses.
      tally: is added to.
    """
    for request in requests:
        where = [request.where]
        answer = _answer(model, request)
        refused = np.array([answer if isinstance(answer, str) else ""], object)
        tally.add(f"{request.signature}:refused", np.array([""], object), refused, where)
        if isinstance(answer, str):
            continue
        for name, logged in request.outputs.items():
            received = answer.get(name, np.zeros(0))
            exact = logged.dtype.kind != "f"
            tally.add(
                f"{request.signature}:{name}",
                logged[None],
                received[None],
                where,
                tolerance=0.0 if exact else SCORE_TOLERANCE,
            )


def examples(requests: Sequence[LoggedRequest]) -> list[Record]:
    """Returns the records that were sent to `serving_default`."""
    return [
        Record(bytes(data), f"{request.where}, example {number}")
        for request in requests
        if request.signature == names.SERVING_DEFAULT
        for number, data in enumerate(request.inputs.get(names.EXAMPLES, np.zeros(0)).reshape(-1))
    ]


def _answer(model: LoadedVersion, request: LoggedRequest) -> dict[str, np.ndarray] | str:
    """Returns the outputs, or why there are none."""
    if request.signature not in model.signatures:
        return f"the model has no such signature, only {sorted(model.signatures)}"
    expected = model.inputs(request.signature)
    if expected.keys() != request.inputs.keys():
        other = sorted(expected.keys() ^ request.inputs.keys())
        return f"inputs that only one of request and model has: {other}"
    try:
        return model.call(request.signature, request.inputs)
    except (tf.errors.InvalidArgumentError, TypeError, ValueError) as error:
        return reason(error)
