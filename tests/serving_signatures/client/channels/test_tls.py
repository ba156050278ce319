"""TLS and mutual TLS: who is trusted answers, and files that cannot be are named."""

import contextlib
from concurrent import futures

import grpc
import pytest

from features.errors import UserInputError
from serving_signatures.client.channel import open_channel
from serving_signatures.client.channels.tls import channel_credentials, server_credentials
from tests.serving_signatures.client.channels.certificates import Authority
from tests.serving_signatures.client.channels.servers import PATH, called


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "root")


@pytest.fixture(scope="module")
def unknown(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other"), "other")


class Answers(grpc.GenericRpcHandler):
    """Answers with the name that the client has shown."""

    def service(self, handler_call_details):
        if handler_call_details.method != PATH:
            return None

        def answer(request, context):
            return b",".join(context.auth_context().get("x509_common_name", []))

        return grpc.unary_unary_rpc_method_handler(answer)


@contextlib.contextmanager
def serving(credentials):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Answers(),))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def failed(address, credentials, server_name="models.test"):
    with open_channel(
        [address], timeout_seconds=5, attempts=1, credentials=credentials, server_name=server_name
    ) as channel:
        return called(channel, 1)


def test_a_server_is_trusted_by_its_root_and_name_alone(authority, unknown):
    with serving(server_credentials(*authority.signed("models.test"))) as address:
        right = channel_credentials(authority.root)
        assert failed(address, right) == []
        assert failed(address, right, server_name="shop.test") == ["UNAVAILABLE"]
        assert failed(address, right, server_name=None) == ["UNAVAILABLE"]
        assert failed(address, channel_credentials(unknown.root)) == ["UNAVAILABLE"]
        assert failed(address, channel_credentials()) == ["UNAVAILABLE"]
        assert failed(address, None) == ["UNAVAILABLE"]


def test_a_server_that_asks_for_a_certificate_answers_no_client_without(authority, unknown):
    of_server = server_credentials(*authority.signed("models.test"), authority.root)
    with serving(of_server) as address:
        mutual = channel_credentials(authority.root, *authority.signed("ranking.test"))
        with open_channel([address], 5, credentials=mutual, server_name="models.test") as channel:
            assert channel.unary_unary(PATH)(b"") == b"ranking.test"
        assert failed(address, channel_credentials(authority.root)) == ["UNAVAILABLE"]
        other = channel_credentials(authority.root, *unknown.signed("ranking.test"))
        assert failed(address, other) == ["UNAVAILABLE"]


def test_files_that_cannot_be_are_named(authority, unknown, tmp_path):
    certificate, key = authority.signed("models.test")
    other_key = unknown.signed("models.test")[1]
    encrypted = authority.signed("secret.test", b"secret")
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"\xff garbage")
    for arguments, message in (
        ((str(tmp_path / "none.pem"),), "none.pem cannot be read: No such file"),
        ((str(tmp_path),), "cannot be read: Is a directory"),
        ((str(garbage),), "garbage.pem: expected certificates in PEM"),
        ((key,), "models.test.key: expected certificates in PEM"),
        ((None, certificate), "belong together, received .*models.test.crt and None"),
        ((None, certificate, other_key), "models.test.key: expected a certificate and its key"),
        ((None, str(garbage), key), "garbage.pem and .*expected a certificate and its key"),
        ((None, *encrypted), "secret.test.key is encrypted"),
    ):
        with pytest.raises(UserInputError, match=message):
            channel_credentials(*arguments)
    with pytest.raises(UserInputError, match="belong together, received None and None"):
        server_credentials(None, None, authority.root)
    with pytest.raises(UserInputError, match=r"models.test.key: expected a certificate and its"):
        server_credentials(certificate, other_key)
