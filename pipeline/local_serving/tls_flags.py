"""TLS of the local server, by flags."""

from typing import TYPE_CHECKING

from absl import flags

from pipeline.runtime.help_text import flag_group

if TYPE_CHECKING:
    import grpc

_FLAGS = flags.FLAGS


def define_tls_flags() -> None:
    """Defines the flags of TLS."""
    with flag_group("TLS"):
        flags.DEFINE_string(
            "tls_certificate",
            None,
            "`FILE` Certificate in PEM that clients are shown. Default: no TLS.",
        )
        flags.DEFINE_string("tls_key", None, "`FILE` Key of --tls_certificate, in PEM.")
        flags.DEFINE_string(
            "tls_client_root",
            None,
            "`FILE` Those who sign the clients' certificates, in PEM; clients have to show one.",
        )


def tls_credentials() -> "grpc.ServerCredentials | None":
    """Returns the server's credentials; None without TLS.

    Raises:
      UserInputError: a file is missing, or is not what it should be.
    """
    paths = _FLAGS.tls_certificate, _FLAGS.tls_key, _FLAGS.tls_client_root
    if paths == (None, None, None):
        return None
    from serving_signatures.client.channels.tls import server_credentials

    return server_credentials(*paths)
