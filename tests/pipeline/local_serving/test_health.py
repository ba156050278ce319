"""The health service says whether requests would be answered."""

import contextlib
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from pipeline.local_serving import services
from pipeline.local_serving.health import ModelHealth
from pipeline.local_serving.served_model import ServedModel

STATES = health_pb2.HealthCheckResponse


class NoServable:
    """A version that answers nothing."""

    def close(self):
        pass


@contextlib.contextmanager
def served(folders, **options):
    model = ServedModel("m", lambda: folders, load=lambda _: NoServable(), **options)
    server = services.grpc_server(model, threads=1)
    health = ModelHealth(model, server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        yield model, health, health_pb2_grpc.HealthStub(channel)
    server.stop(None).wait()


def test_it_serves_once_the_version_of_each_label_is_loaded_and_until_the_end():
    folders = {}
    with served(folders, labels={"stable": 1, "canary": 2}) as (model, health, stub):

        def state():
            model.refresh()
            health.refresh()
            return stub.Check(health_pb2.HealthCheckRequest(), timeout=60).status

        # With one thread: a watch must not keep it.
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == STATES.NOT_SERVING
        assert state() == STATES.NOT_SERVING
        folders[1] = "1"
        assert state() == STATES.NOT_SERVING
        folders[2] = "2"
        assert state() == STATES.SERVING
        health.end()
        assert state() == STATES.NOT_SERVING
        assert [next(watch).status for _ in range(2)] == [STATES.SERVING, STATES.NOT_SERVING]
        watch.cancel()


def test_a_model_without_labels_serves_with_any_version_and_other_services_are_unknown():
    with served({3: "3"}) as (model, health, stub):
        model.refresh()
        health.refresh()
        request = health_pb2.HealthCheckRequest()
        assert stub.Check(request, timeout=60).status == STATES.SERVING
        with pytest.raises(grpc.RpcError) as raised:
            stub.Check(health_pb2.HealthCheckRequest(service="other"), timeout=60)
        assert raised.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_server_ends_although_those_who_watch_it_leave_at_that_moment():
    with served({3: "3"}) as (model, health, stub):
        model.refresh()
        health.refresh()
        watches = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(30)]
        assert {next(watch).status for watch in watches} == {STATES.SERVING}
        end = threading.Thread(target=health.end, daemon=True)
        for watch in watches:
            watch.cancel()
        end.start()
        end.join(20)
        assert not end.is_alive(), "the server waits for a watch that has ended"
