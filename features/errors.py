"""Errors that a user can fix."""


class UserInputError(ValueError):
    """Input or flags that the user must change.

    Entry points print the message without a traceback and exit with code 2, so the message
    says what was received, what was expected and how to fix it.
    """
