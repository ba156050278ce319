"""A sample of the calls that score, written off the request's path."""

import atexit
import functools
import os
import queue
import random
import threading
import time
import weakref
from typing import Any, NamedTuple

from absl import logging

from serving_signatures import names
from serving_signatures.client.counts import ClientCounts
from serving_signatures.request_logs import log_record
from serving_signatures.request_logs.log_files import LogFiles
from serving_signatures.request_logs.redaction import Redaction

DEFAULT_RATE = 0.01
DEFAULT_FILE_BYTES = 64 << 20
DEFAULT_FILES = 16

_SCORING = frozenset((names.SERVING_DEFAULT, names.SCORE_REQUEST, names.SCORE_CACHED))
_WARNING_SECONDS = 60


class _Call(NamedTuple):
    request: Any
    response: Any
    seconds: float
    time: float


class RequestLog:
    """Writes calls and their answers as TFRecords of PredictionLog; safe to use from many threads.

        log = RequestLog("requests/", rate=0.01, redaction=Redaction(["context_age"]))
        client = RankingClient(RemoteModel(channel, "dmf"), log=log)

    A call waits for nothing: a thread serializes and writes what was drawn. Where that thread
    cannot keep up, or the disk takes nothing, records are lost and counted.

    Args:
      folder: local. Several processes may log into one; each writes files of its own.
      rate: the share of calls to log, more than 0 and at most 1; each call is drawn by itself.
      redaction: values that are never written; None for none.
      max_file_bytes: a file is closed before it would be larger.
      max_files: of the folder, after which the oldest is removed.
      queue_size: the most calls that wait for the thread, with their tensors in memory.
      seed: of the draws; None for another one in each process.

    Raises:
      ValueError: an argument is out of its range, or the folder is remote.
    """

    def __init__(
        self,
        folder: str,
        rate: float = DEFAULT_RATE,
        redaction: Redaction | None = None,
        max_file_bytes: int = DEFAULT_FILE_BYTES,
        max_files: int = DEFAULT_FILES,
        queue_size: int = 64,
        seed: int | None = None,
    ) -> None:
        if not 0 < rate <= 1:
            raise ValueError(f"rate must be more than 0 and at most 1, received {rate}.")
        if queue_size < 1:
            raise ValueError(f"queue_size must be at least 1, received {queue_size}.")
        self._rate = rate
        self._redaction = redaction or Redaction()
        self._new_files = functools.partial(LogFiles, folder, max_file_bytes, max_files)
        self._new_files()  # Raises for what it cannot be.
        self._queue_size = queue_size
        self._random = random.Random(seed)
        self._thread: threading.Thread | None = None
        self._queue: queue.Queue[_Call | None]
        self._begin()
        # A forked process has no such thread, and files of its own.
        own = weakref.WeakMethod(self._begin)
        os.register_at_fork(after_in_child=lambda: (begin := own()) and begin())

    def counts(self) -> dict[str, int]:
        """Returns `log.written`, `log.dropped` (no place in the queue), `log.failed` (disk)."""
        return self._counts.to_dict()

    def offer(self, request: Any, response: Any, seconds: float) -> None:
        """Logs a call, if it is drawn and there is a place in the queue. It raises nothing.

        Args:
          request: the PredictRequest; nobody may change it afterwards.
          response: the PredictResponse, likewise.
          seconds: from the call to its answer.
        """
        signature = request.model_spec.signature_name or names.SERVING_DEFAULT
        if signature not in _SCORING or self._random.random() >= self._rate:
            return
        try:
            self._start()
            self._queue.put_nowait(_Call(request, response, seconds, time.time()))
        except (queue.Full, RuntimeError):  # No place, or no thread can be started.
            self._counts.add("log.dropped")

    def close(self, seconds: float = 5.0) -> None:
        """Writes what waits, and closes the file; a later call begins another.

        Args:
          seconds: the longest to wait; what is not written by then is lost and not counted.
        """
        with self._lock:
            thread, waiting = self._thread, self._queue
            if thread is None:
                return
            self._thread, self._queue = None, queue.Queue(self._queue_size)
        atexit.unregister(self.close)
        begin = time.monotonic()
        try:
            waiting.put(None, timeout=seconds)
        except queue.Full:
            return
        thread.join(max(0.0, seconds - (time.monotonic() - begin)))

    def __enter__(self) -> "RequestLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        """Makes what a process has for itself."""
        self._lock = threading.Lock()
        self._thread, self._queue = None, queue.Queue(self._queue_size)
        self._counts = ClientCounts()

    def _start(self) -> None:
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(
                    target=self._write, args=(self._queue,), name="request-log", daemon=True
                )
                thread.start()
                self._thread = thread
                atexit.register(self.close)

    def _write(self, calls: queue.Queue[_Call | None]) -> None:
        """Writes calls until there is None."""
        files = self._new_files()
        while (call := calls.get()) is not None:
            try:
                files.append(self._encoded(call))
            except Exception as error:  # noqa: BLE001  No error may end the thread.
                self._counts.add("log.failed")
                logging.log_every_n_seconds(
                    logging.WARNING, "A request was not logged: %s", _WARNING_SECONDS, error
                )
            else:
                self._counts.add("log.written")
        files.close()

    def _encoded(self, call: _Call) -> bytes:
        request, redacted = self._redaction.request(call.request)
        metadata = {"rate": self._rate, "time": call.time}
        return log_record.encode(request, call.response, metadata, call.seconds, redacted)
