"""A gRPC channel to one TF Serving or several, with deadlines, retries, and a quick return."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from features import proxies
from serving_signatures.client.channels import targets
from serving_signatures.client.channels.trace_context import trace_interceptor
from serving_signatures.client.proxy_errors import NamesProxy

_SERVICES = ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")
_MOST_ATTEMPTS = 5
"""grpc's own limit; it takes more for 5, without a word."""
_OPTIONS = (
    # grpc retries only calls that fit; its default of 256 KiB would leave out 1,200 candidates.
    ("grpc.per_rpc_retry_buffer_size", 2**26),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # After an outage: grpc waits up to 120 s between attempts to connect, and 20 s for one.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    # A connection on which nothing is acknowledged for 2 s is given up (TCP_USER_TIMEOUT, which
    # grpc sets only with keepalive). Servers take a ping in 5 minutes; one in 10 offends none.
    ("grpc.keepalive_time_ms", 600_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    # A lost connection has a name resolved again; by default not within 30 s of the last time.
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
)


def open_channel(
    target: str | Sequence[str],
    timeout_seconds: float = 1.0,
    attempts: int = 4,
    backoff_seconds: float = 0.02,
    credentials: grpc.ChannelCredentials | None = None,
    server_name: str | None = None,
) -> grpc.Channel:
    """Opens a channel whose calls are retried while the server is UNAVAILABLE, and only then.

    Calls go to all servers of a target in turn, but for those whose health service says that
    they do not serve. A server without that service counts as healthy.

    Args:
      target: `localhost:8500`; `dns:///name:8500` for all addresses of a name; or a sequence of
        addresses with their ports.
      timeout_seconds: of one call, with its retries; a `timeout` given to a call itself counts
        in its place.
      attempts: the most a call is sent, 2 to 5 (grpc's limit); 1 for no retries.
      backoff_seconds: before the first retry, in the mean, at least 0.001; it doubles with each.
      credentials: of `channels.tls` or of gRPC; None for a channel without TLS.
      server_name: what the servers' certificate is for; None for the host of the target.

    Raises:
      ValueError: an argument is out of its range, or the target has an address that is none.
    """
    if not 0 < timeout_seconds < math.inf:
        raise ValueError(
            f"timeout_seconds must be more than 0 and finite, received {timeout_seconds}."
        )
    if not 1 <= attempts <= _MOST_ATTEMPTS:
        raise ValueError(f"attempts must be 1 to {_MOST_ATTEMPTS}, received {attempts}.")
    if not backoff_seconds >= 0.001:
        raise ValueError(f"backoff_seconds must be at least 0.001, received {backoff_seconds}.")
    target = targets.grpc_target(target)
    options = [("grpc.service_config", _service_config(attempts, backoff_seconds)), *_OPTIONS]
    if server_name is not None:
        options.append(("grpc.default_authority", server_name))
    if listed := targets.is_list(target):
        # grpc compares no_proxy with the whole list, so a proxy would catch whatever it says.
        options.append(("grpc.enable_http_proxy", 0))
    if credentials is None:
        channel = grpc.insecure_channel(target, options)
    else:
        channel = grpc.secure_channel(target, credentials, options)
    channel = grpc.intercept_channel(channel, _Deadline(timeout_seconds))
    if (traces := trace_interceptor()) is not None:
        channel = grpc.intercept_channel(channel, traces)
    proxy = None if listed else proxies.catching_grpc(target)
    return channel if proxy is None else grpc.intercept_channel(channel, NamesProxy(proxy))


def _service_config(attempts: int, backoff_seconds: float) -> str:
    method: dict[str, object] = {"name": [{"service": service} for service in _SERVICES]}
    if attempts > 1:
        method["retryPolicy"] = {
            "maxAttempts": attempts,
            "initialBackoff": f"{backoff_seconds:.3f}s",
            "maxBackoff": f"{16 * backoff_seconds:.3f}s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
    return json.dumps(
        {
            "methodConfig": [method],
            "loadBalancingConfig": [{"round_robin": {}}],
            # Of the whole server; grpc checks it under round_robin alone.
            "healthCheckConfig": {"serviceName": ""},
        }
    )


class _Deadline(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # Has no types.
    """Gives a timeout to each call that has none.

    The timeout of a service config would be a second or two short (grpc/grpc 34547).
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        """Calls, with a timeout."""
        if client_call_details.timeout is None:
            client_call_details = client_call_details._replace(timeout=self._seconds)
        return continuation(client_call_details, request)
