"""Names of columns as records, models and signatures can have them."""

import re

_VALID = re.compile(r"[a-z][a-z0-9_]*")
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_NAME = re.compile(r"[^a-zA-Z0-9]+")


def feature_name(column: str) -> str:
    """Returns the name under which a column is taken: lower case, with `_` between words.

    >>> [feature_name(name) for name in ("isClick", "Brand", "user.ID", "price_eur", "7days")]
    ['is_click', 'brand', 'user_id', 'price_eur', 'c_7days']

    Args:
      column: its name in the file.

    Returns:
      A name of a-z, 0-9 and _ that begins with a letter; empty where the column's name has no
      letter or digit of ASCII.
    """
    if _VALID.fullmatch(column):
        return column
    words = _NO_NAME.sub("_", _WORD_ENDS.sub("_", column)).strip("_").lower()
    return f"c_{words}" if words[:1].isdigit() else words
