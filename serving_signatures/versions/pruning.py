"""Which versions may be removed."""

from collections.abc import Collection, Sequence

from serving_signatures.versions.exported_version import ExportedVersion

MINIMUM_KEPT = 3


def removable(
    versions: Sequence[ExportedVersion], protected: Collection[int], keep: int
) -> list[ExportedVersion]:
    """Returns the versions that may be removed.

    The newest `keep` intact versions are kept, the protected ones, and the highest number, damaged
    or not: the next export must not get that number again.

    Args:
      versions: ascending.
      protected: numbers that are served or have a label.
      keep: intact versions to keep, at least `MINIMUM_KEPT`.

    Raises:
      ValueError: `keep` is too small.
    """
    if keep < MINIMUM_KEPT:
        raise ValueError(f"At least {MINIMUM_KEPT} versions are kept, received keep={keep}.")
    kept: set[int] = {versions[-1].number} if versions else set()
    intact = 0
    for version in reversed(versions):
        if intact == keep:
            break
        if not version.damage():
            kept.add(version.number)
            intact += 1
    return [one for one in versions if one.number not in kept and one.number not in protected]
