"""Hedging: a call that is late is sent a second time, and the first answer counts."""

import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc

from serving_signatures.client.counts import ClientCounts

_MOST_SAVED = 10.0
"""Second calls that may follow each other after a quiet time, whatever the share."""


class Hedging:
    """Sends late calls a second time; safe to use from many threads.

    A second call goes to the next server of the channel. An overload makes all calls late: a
    bounded share of second calls does not double it.

    Args:
      after_seconds: how long the first call may take; about the 95th percentile.
      share: the most second calls per first call, above 0, at most 1.

    Raises:
      ValueError: an argument is out of its range.
    """

    def __init__(self, after_seconds: float, share: float = 0.1) -> None:
        if not 0 < after_seconds < math.inf:
            raise ValueError(
                f"after_seconds must be more than 0 and finite, received {after_seconds}."
            )
        if not 0 < share <= 1:
            raise ValueError(f"share must be more than 0 and at most 1, received {share}.")
        self._after_seconds = after_seconds
        self._share = share
        self._lock = threading.Lock()
        self._saved = 0.0
        self._counts = ClientCounts()

    def counts(self) -> dict[str, int]:
        """Returns `hedges.sent`, `hedges.won` by the second call, `hedges.over_share` not sent."""
        return self._counts.to_dict()

    def sent(self, send: Callable[[], Any]) -> "HedgedCall":
        """Sends a call.

        Args:
          send: sends it and returns a future of gRPC.

        Returns:
          Its `result` waits for the answer, and sends the second call.
        """
        with self._lock:
            self._saved = min(self._saved + self._share, _MOST_SAVED)
        return HedgedCall(send, self._after_seconds, self._may_send, self._counts)

    def _may_send(self) -> bool:
        with self._lock:
            # A sum of shares such as 0.1 is a little less than 1 after ten of them.
            allowed = self._saved >= 1 - 1e-9
            if allowed:
                self._saved -= 1
        self._counts.add("hedges.sent" if allowed else "hedges.over_share")
        return allowed


class HedgedCall:
    """A call, and the second one that may follow.

    Args:
      send: sends it and returns a future of gRPC.
      after_seconds: how long the first may take.
      may_send: whether a second is within the share.
      counts: counts `hedges.won`.
    """

    def __init__(
        self,
        send: Callable[[], Any],
        after_seconds: float,
        may_send: Callable[[], bool],
        counts: ClientCounts,
    ) -> None:
        self._send = send
        self._may_send = may_send
        self._counts = counts
        self._late = time.monotonic() + after_seconds
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._first = self._started()

    def result(self) -> Any:
        """Returns the first answer.

        Raises:
          grpc.RpcError: of the first call, where neither is answered.
        """
        try:
            return self._done.get(timeout=max(0, self._late - time.monotonic())).result()
        except queue.Empty:
            if not self._may_send():
                return self._first.result()
        second = self._started()
        calls = {self._first: second, second: self._first}
        error: grpc.RpcError | None = None
        for _ in calls:
            ended = self._done.get()
            try:
                answer = ended.result()
            except grpc.RpcError as raised:
                if ended is self._first:
                    error = raised
                    # Its deadline is the request's: the second call would end after it.
                    if raised.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                        break
            else:
                calls[ended].cancel()
                if ended is second:
                    self._counts.add("hedges.won")
                return answer
        second.cancel()
        if error is None:
            raise RuntimeError("A call ended without an answer and without an error.")
        raise error

    def _started(self) -> Any:
        call = self._send()
        call.add_done_callback(lambda _: self._done.put(call))
        return call
