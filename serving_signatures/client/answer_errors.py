"""Answers that are none of a model that `pipeline.export` wrote."""

import grpc


class UnexpectedAnswerError(grpc.RpcError):  # type: ignore[misc]  # Has no types.
    """A server answered, with something else than the signature says.

    Args:
      details: what was received and what was expected.
    """

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self._details = details

    def code(self) -> grpc.StatusCode:
        """Returns INTERNAL, as grpc does for messages that it cannot read."""
        return grpc.StatusCode.INTERNAL

    def details(self) -> str:
        """Returns what was received and what was expected."""
        return self._details
