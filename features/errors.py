"""Errors that end a job with a sentence."""


class UserInputError(ValueError):
    """Input or flags that the user must change.

    Entry points print the message without a traceback and exit with code 2, so the message
    says what was received, what was expected and how to fix it.
    """


class RetryError(Exception):
    """A fault of the moment, such as a network disk that does not answer.

    Entry points print the message without a traceback and exit with code 75: the same command may
    succeed later.
    """
