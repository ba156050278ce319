"""The health service of gRPC, as TF Serving has it with --enable_grpc_healthcheck_service."""

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
        self._service = health.HealthServicer()
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
