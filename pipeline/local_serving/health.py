"""The health service of gRPC, as TF Serving has it with --enable_grpc_healthcheck_service."""

import threading
from collections.abc import Callable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from pipeline.local_serving.served_model import ServedModel

_WHOLE_SERVER = ""


class ModelHealth:
    """SERVING while a version is served and each label's version is; NOT_SERVING otherwise.

    Args:
      model: whose versions count.
      server: gets the service.
    """

    def __init__(self, model: ServedModel, server: grpc.Server) -> None:
        self._model = model
        self._service = _Service()
        self._was_ready: bool | None = None
        health_pb2_grpc.add_HealthServicer_to_server(self._service, server)
        self.refresh()

    def refresh(self) -> None:
        """Tells those who watch, where the state has changed."""
        is_ready = self._model.is_ready
        if is_ready == self._was_ready:
            # The service would tell them the same state again.
            return
        self._was_ready = is_ready
        states = health_pb2.HealthCheckResponse
        self._service.set(_WHOLE_SERVER, states.SERVING if is_ready else states.NOT_SERVING)

    def end(self) -> None:
        """Says NOT_SERVING from now on: clients go to other servers."""
        self._service.enter_graceful_shutdown()


class _Service(health.HealthServicer):
    """Forgets a watch that has ended in a thread of its own.

    The service holds its lock while it sends, for which it needs the thread that serves; that
    thread would forget the watch, for which it needs the lock. So a server whose client left as it
    was told the state waited forever.
    """

    def Watch(  # noqa: N802  The service's name.
        self, request: Any, context: Any, send_response_callback: Any = None
    ) -> Any:
        """Sends the state, then each change."""
        return super().Watch(request, _ForgetsAside(context), send_response_callback)


class _ForgetsAside:
    """An RPC's context, which runs a callback at its end aside."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def add_callback(self, callback: Callable[[], None]) -> Any:
        """Runs the callback in a thread of its own after the RPC."""
        aside = threading.Thread(target=callback, daemon=True)
        return self._context.add_callback(aside.start)
