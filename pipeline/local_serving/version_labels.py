"""Labels of versions, as a flag names them; without TensorFlow, for `--only_check_args`."""

from collections.abc import Sequence

from features.errors import UserInputError


def parse_labels(texts: Sequence[str]) -> dict[str, int]:
    """Parses the values of `--labels label=version,...`.

    Raises:
      UserInputError: a value is not `label=number`, or a label appears twice.
    """
    labels: dict[str, int] = {}
    for text in texts:
        label, _, version = text.partition("=")
        if not label or label in labels or not is_number(version):
            raise UserInputError(f"--labels {text!r} must be label=version, each label once.")
        labels[label] = int(version)
    return labels


def is_number(text: str) -> bool:
    """Whether a text is the name of a version's folder."""
    return text.isascii() and text.isdigit()
