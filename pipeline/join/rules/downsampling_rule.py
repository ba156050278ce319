"""The rule of `--downsample_negatives`: negatives of which label, and the share that is kept."""

from features.errors import UserInputError
from features.schema import Downsampling
from features.tables.names import feature_name


def parse(text: str) -> Downsampling:
    """Parses `click=0.1`.

    >>> parse("click=0.1")
    Downsampling(label='click', rate=0.1)

    Raises:
      UserInputError: the text has another form, or the share is not between 0 and 1.
    """
    label, _, rate = (part.strip() for part in text.partition("="))
    try:
        return Downsampling(feature_name(label), float(rate))
    except ValueError as error:
        raise UserInputError(
            f"--downsample_negatives {text!r} must be LABEL=SHARE with a share above 0 and below "
            "1, for instance click=0.1 to keep one negative of ten."
        ) from error
