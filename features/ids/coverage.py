"""The share of ids that were found where they have to be.

Where it is near zero, the ids are of two catalogs, of two namings or of two kinds. Such a job would
end well and publish what serves nothing.
"""

from absl import logging

from features.errors import UserInputError

DEFAULT = 0.01
"""The least share by default. Sets that belong together share far more; two catalogs by chance may
share a few."""


def check(subject: str, found: int, total: int, things: str, least: float) -> float:
    """Logs a share, and refuses one below the least.

    Args:
      subject: what was looked in, such as `--embeddings text`.
      found: how many were found.
      total: of how many; where it is 0 there is nothing to find.
      things: what was looked up and found, such as `items of the catalog have a vector`.
      least: the least share, from 0 to 1.

    Returns:
      The share, 1 of nothing.

    Raises:
      UserInputError: the share is below the least.
    """
    share = found / total if total else 1.0
    text = f"{subject}: {found:,} of {total:,} {things} ({share:.1%})"
    if share < least:
        raise UserInputError(
            f"{text}, less than --min_coverage {least}: the ids do not meet. Give what belongs "
            "together, with ids that are written alike, or --min_coverage 0 to do without."
        )
    logging.info("%s.", text)
    return share
