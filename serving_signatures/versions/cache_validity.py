"""Which caches of an earlier version a new one may go on using."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from serving_signatures import names
from serving_signatures.versions.exported_version import ExportedVersion

_CACHE_OF_TAG = {tag: cache for cache, tag in names.CACHES.items()}


@dataclasses.dataclass(frozen=True)
class CacheValidity:
    """What became of a cache from one version to the next.

    Attributes:
      tag: name of the tag.
      valid: whether the earlier version's cache may be used.
      since: the first version of the unbroken row of versions with this tag; None if not valid.
      reason: one line for a person.
    """

    tag: str
    valid: bool
    since: int | None
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON values for the manifest."""
        return {"valid": self.valid, "since": self.since, "reason": self.reason}


def compare(tags: Mapping[str, str], earlier: ExportedVersion | None) -> list[CacheValidity]:
    """Compares a model's tags with an earlier version's.

    Args:
      tags: cache tag by name, of the new model; empty without split signatures.
      earlier: the version whose caches exist, or None.

    Returns:
      One a tag, in the order of `tags`.
    """
    return [_compare_one(tag, value, earlier) for tag, value in tags.items()]


def _compare_one(tag: str, value: str, earlier: ExportedVersion | None) -> CacheValidity:
    signature = _CACHE_OF_TAG[tag]
    if earlier is None:
        return CacheValidity(tag, False, None, f"{tag} is new: fill {signature}")
    if tag not in earlier.tags:
        reason = f"{tag} is new, version {earlier.number} has none: fill {signature}"
        return CacheValidity(tag, False, None, reason)
    if value != earlier.tags[tag]:
        reason = f"{tag} changed since version {earlier.number}: fill {signature} again"
        return CacheValidity(tag, False, None, reason)
    before = earlier.manifest.get("caches", {}).get(tag, {})
    since = before["since"] if before.get("valid") else earlier.number
    reason = f"{tag} unchanged since version {since}: {signature} stay valid"
    return CacheValidity(tag, True, since, reason)
