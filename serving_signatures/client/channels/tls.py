"""TLS from PEM files, whose errors are told before the first connection."""

import ssl
from pathlib import Path

import grpc

from features.errors import UserInputError

_ENCRYPTED = "is encrypted; gRPC has no password for it: give one without"


def channel_credentials(
    root_certificate: str | None = None, certificate: str | None = None, key: str | None = None
) -> grpc.ChannelCredentials:
    """Returns what `open_channel` takes as `credentials`.

    Args:
      root_certificate: PEM file of those who sign the servers' certificates; None for gRPC's own.
      certificate: PEM file that this client shows to servers which ask for one, mutual TLS.
      key: PEM file of the certificate's key.

    Raises:
      UserInputError: a file is missing, cannot be read, or is not what it should be.
    """
    shown = certificate is not None or key is not None
    return grpc.ssl_channel_credentials(
        None if root_certificate is None else _root(root_certificate),
        *(reversed(_pair(certificate, key)) if shown else (None, None)),
    )


def server_credentials(
    certificate: str | None, key: str | None, client_root: str | None = None
) -> grpc.ServerCredentials:
    """Returns credentials of a server.

    Args:
      certificate: PEM file that it shows.
      key: PEM file of the certificate's key.
      client_root: PEM file of those who sign the clients' certificates, which are asked for then.

    Raises:
      UserInputError: a file is missing, cannot be read, or is not what it should be.
    """
    shown, private = _pair(certificate, key)
    return grpc.ssl_server_credentials(
        [(private, shown)],
        root_certificates=None if client_root is None else _root(client_root),
        require_client_auth=client_root is not None,
    )


def _root(path: str) -> bytes:
    data = _bytes(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=data.decode())
    except (ssl.SSLError, ValueError) as error:
        raise UserInputError(
            f"{path}: expected certificates in PEM, '-----BEGIN CERTIFICATE-----': {error}"
        ) from error
    return data


def _pair(certificate: str | None, key: str | None) -> tuple[bytes, bytes]:
    """Returns a certificate and its key."""
    if certificate is None or key is None:
        raise UserInputError(
            f"A certificate and its key belong together, received {certificate} and {key}."
        )
    data = _bytes(certificate), _bytes(key)

    def password() -> str:
        raise UserInputError(f"{key} {_ENCRYPTED}.")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password)
    except ssl.SSLError as error:
        raise UserInputError(
            f"{certificate} and {key}: expected a certificate and its key in PEM: {error}"
        ) from error
    return data


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserInputError(f"{path} cannot be read: {error.strerror}.") from error
