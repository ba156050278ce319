"""The trace that a call belongs to, passed on to the server."""

from collections.abc import Callable
from typing import Any

import grpc


def trace_interceptor() -> "PassesTraceContext | None":
    """Returns an interceptor where `opentelemetry-api` is installed, None elsewhere."""
    try:
        from opentelemetry.propagate import inject
    except ImportError:
        return None
    return PassesTraceContext(inject)


class PassesTraceContext(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # Has no types.
    """Adds the caller's trace context to a call's metadata; nothing where no span is current.

    Args:
      inject: writes the current context into a dictionary, such as OpenTelemetry's.
    """

    def __init__(self, inject: Callable[[dict[str, str]], None]) -> None:
        self._inject = inject

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        """Calls, with the context."""
        context: dict[str, str] = {}
        self._inject(context)
        if context:
            # gRPC takes keys in lower case alone.
            added = [(name.lower(), value) for name, value in context.items()]
            metadata = [*(client_call_details.metadata or ()), *added]
            client_call_details = client_call_details._replace(metadata=metadata)
        return continuation(client_call_details, request)
