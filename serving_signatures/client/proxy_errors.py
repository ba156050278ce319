"""Errors of calls that a proxy caught: they name the variable that sent them there."""

from collections.abc import Callable
from typing import Any

import grpc

_UNREACHED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class CaughtByProxyError(grpc.RpcError):  # type: ignore[misc]  # Has no types.
    """A call that failed on its way to a proxy, which the environment names.

    Args:
      error: of grpc.
      proxy: which variable, and what to do.
    """

    def __init__(self, error: Any, proxy: str) -> None:
        super().__init__(f"{error.code()}: {error.details()}. {proxy}")
        self._error, self._proxy = error, proxy

    def code(self) -> grpc.StatusCode:
        """Returns the code of grpc's error."""
        return self._error.code()

    def details(self) -> str:
        """Returns the details of grpc's error, with the variable."""
        return f"{self._error.details()}. {self._proxy}"

    def result(self, timeout: float | None = None) -> Any:
        """Raises itself: interceptors of the caller's take an error for the call that it ended."""
        raise self

    def exception(self, timeout: float | None = None) -> Any:
        """Returns itself."""
        return self


class NamesProxy(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # Has no types.
    """Names the proxy in errors of calls that reach nobody.

    Args:
      proxy: which variable, and what to do.
    """

    def __init__(self, proxy: str) -> None:
        self._proxy = proxy

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        """Calls, and wraps the outcome."""
        return _Outcome(continuation(client_call_details, request), self._proxy)


class _Outcome:
    """A call of grpc whose error names the proxy; all else is the call's own."""

    def __init__(self, call: Any, proxy: str) -> None:
        self._call, self._proxy = call, proxy

    def result(self, timeout: float | None = None) -> Any:
        """Returns the answer, or raises."""
        try:
            return self._call.result(timeout)
        except grpc.RpcError as error:
            if (named := self._named(error)) is error:
                raise
            raise named from error

    def exception(self, timeout: float | None = None) -> Any:
        """Returns the error, None for an answer."""
        error = self._call.exception(timeout)
        return self._named(error) if isinstance(error, grpc.RpcError) else error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def _named(self, error: Any) -> Any:
        if error.code() not in _UNREACHED:
            return error
        return CaughtByProxyError(error, self._proxy)
