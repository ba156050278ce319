"""Which caches of an earlier version stay valid for a new one."""

import dataclasses
from collections.abc import Mapping

from serving_signatures import names
from serving_signatures.versions.exported_version import ExportedVersion

_CACHE_OF_TAG = {tag: cache for cache, tag in names.CACHES.items()}


@dataclasses.dataclass(frozen=True)
class CacheValidity:
    """Whether a cache stays valid from one version to the next.

    Attributes:
      tag: name of the tag.
      valid: whether the earlier version's cache may be used.
      since: the first of the consecutive versions with this tag; None if not valid.
      reason: one line for a person.
      before: the version that was compared with; None for a folder's first version.
    """

    tag: str
    valid: bool
    since: int | None
    reason: str
    before: int | None = None


def compare(tags: Mapping[str, str], earlier: ExportedVersion | None) -> list[CacheValidity]:
    """Compares a model's tags with those of an earlier version.

    Args:
      tags: cache tag by name, of the new model; empty without split signatures.
      earlier: the version whose caches exist, or None.

    Returns:
      One per tag, in the order of `tags`.
    """
    return [_compare_one(tag, value, earlier) for tag, value in tags.items()]


def _compare_one(tag: str, value: str, earlier: ExportedVersion | None) -> CacheValidity:
    signature = _CACHE_OF_TAG[tag]
    if earlier is not None and value == earlier.tags.get(tag):
        before = earlier.manifest.get("caches", {}).get(tag, {})
        since = before["since"] if before.get("valid") else earlier.number
        reason = f"{tag} unchanged since version {since}: {signature} stay valid"
        return CacheValidity(tag, True, since, reason, earlier.number)
    if earlier is None:
        reason = f"{tag} is new: fill {signature}"
    elif tag not in earlier.tags:
        reason = f"{tag} is new, version {earlier.number} has none: fill {signature}"
    else:
        reason = f"{tag} changed since version {earlier.number}: fill {signature} again"
    return CacheValidity(tag, False, None, reason, earlier.number if earlier else None)
