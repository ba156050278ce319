"""A Redis server for the tests of the load."""

import pytest
import redis

from tests import server_process


@pytest.fixture(scope="session")
def _redis_server():
    with server_process.running(server_process.redis_command) as (port, _):
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture
def url(_redis_server):
    """The address of a server that holds nothing, with its settings as at its start."""
    server = redis.Redis.from_url(_redis_server)
    server.flushall()
    yield _redis_server
    server.config_set("maxmemory", 0)
    server.config_set("maxmemory-policy", "noeviction")


@pytest.fixture
def server(url):
    """A client of it."""
    return redis.Redis.from_url(url)
