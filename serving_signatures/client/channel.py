"""A gRPC channel to TF Serving, with deadlines and retries in grpc's own service config."""

import json

import grpc

from features import proxies
from serving_signatures.client.proxy_errors import NamesProxy

_SERVICES = ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")
_RETRY_BUFFER_BYTES = 2**26
"""grpc retries only calls that fit; its default of 256 KiB would leave out 1,200 candidates."""


def open_channel(
    target: str, timeout_seconds: float = 1.0, attempts: int = 4, backoff_seconds: float = 0.02
) -> grpc.Channel:
    """Opens a channel whose calls are retried while the server is UNAVAILABLE, and only then.

    Args:
      target: such as `localhost:8500`.
      timeout_seconds: of one call, with its retries.
      attempts: the most a call is sent, 2 to 5 (grpc's limit); 1 for no retries.
      backoff_seconds: before the first retry, in the mean; it doubles with each.
    """
    method: dict[str, object] = {
        "name": [{"service": service} for service in _SERVICES],
        "timeout": f"{timeout_seconds:.3f}s",
    }
    if attempts > 1:
        method["retryPolicy"] = {
            "maxAttempts": attempts,
            "initialBackoff": f"{backoff_seconds:.3f}s",
            "maxBackoff": f"{16 * backoff_seconds:.3f}s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
    options = [
        ("grpc.service_config", json.dumps({"methodConfig": [method]})),
        ("grpc.enable_retries", 1),
        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER_BYTES),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
    ]
    channel = grpc.insecure_channel(target, options=options)
    proxy = proxies.catching_grpc(target)
    return channel if proxy is None else grpc.intercept_channel(channel, NamesProxy(proxy))
