"""What a cache lacks, and which parts to write.

A cache without a usable version is written anew: items are spread by hash over parts of about
`rows_per_part`. Later, new items go to parts of their own, a part with changed or departed items
is written again with its other rows as they are, and every other part stays. When small parts
have become many, they are merged, by hash as well. The rows of a damaged part are computed again.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from features import id_kinds
from features.errors import UserInputError
from features.id_kinds import Kind
from features.ids import hashing, id_table
from features.version import VERSION
from pipeline.catalog_backfill.cache_folder import RECOMPUTE, CacheFolder
from serving_signatures.client import cache_parts
from serving_signatures.client.cache_parts import DamagedPartError

MOST_SMALL_PARTS = 8
"""Parts of less than half the wanted rows are merged once there are this many."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a cache is to hold.

    Attributes:
      item_ids: `[N]` int64, ascending.
      sources: `[N]` int64, see `backfill_inputs.CatalogVectors.sources`.
      tag: the model's.
      item_kind: what the item ids are.
    """

    item_ids: np.ndarray
    sources: np.ndarray
    tag: str
    item_kind: Kind | None = None


@dataclasses.dataclass(frozen=True)
class NewPart:
    """A part to write, of n rows.

    Attributes:
      item_ids: `[n]` int64, ascending.
      sources: `[n]` int64.
      computed: `[n]` bool; the other rows are copied.
      reads: entries of the earlier parts that hold those.
    """

    item_ids: np.ndarray
    sources: np.ndarray
    computed: np.ndarray
    reads: tuple[Mapping[str, Any], ...]

    def key(self, cache: str, tag: str) -> str:
        """Returns a name that no part of other rows or of another model has."""
        digest = hashlib.sha256(f"{VERSION} {cache} {tag}".encode())
        for array in (self.item_ids, self.sources, self.computed):
            digest.update(array.tobytes())
        for part in self.reads:
            digest.update(part["sha256"].encode())
        return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class CachePlan:
    """How to fill a cache.

    Attributes:
      wanted: what it is to hold.
      kept: entries of the parts that stay.
      new: parts to write.
      counts: `stale`: rows of another tag; `damaged`: rows of parts that cannot be used; `new`,
        `changed`, `gone`: items; `computed`, `reused`: rows of the next version.
      reason: for a person.
    """

    wanted: Wanted
    kept: tuple[Mapping[str, Any], ...]
    new: tuple[NewPart, ...]
    counts: Mapping[str, int]
    reason: str

    @property
    def is_done(self) -> bool:
        """Whether the published version holds exactly what is wanted."""
        return not (self.new or self.counts["gone"] or self.counts["damaged"])


def plan(
    folder: CacheFolder, wanted: Wanted, rows_per_part: int, recompute: bool = False
) -> CachePlan:
    """Compares a cache with what it is to hold.

    Args:
      folder: the cache.
      wanted: what it is to hold.
      rows_per_part: about how many rows a part is to have.
      recompute: compute every row, whatever is published.

    Raises:
      UserInputError: the published version is damaged, or its items, of the same model, have ids
        of another kind.
    """
    if recompute:
        return _anew(wanted, rows_per_part, 0, "--recompute")
    published = folder.published()
    if published is None:
        return _anew(wanted, rows_per_part, 0, "nothing is published yet")
    if published["tag"] != wanted.tag:
        reason = f"version {published['version']} is of tag {published['tag']}: stale"
        return _anew(wanted, rows_per_part, published["items"], reason)
    remedy = "Write item_id as before, give another --output, or --recompute."
    published_kind, whose = id_kinds.item_kind(published), repr(folder.path)
    id_kinds.check(wanted.item_kind, "--items", published_kind, whose, remedy)
    return _compare(folder, published, wanted, rows_per_part)


def _anew(wanted: Wanted, rows_per_part: int, stale: int, why: str) -> CachePlan:
    count = len(wanted.item_ids)
    computed = np.ones(count, bool)
    new = tuple(_spread(wanted, computed, np.full(count, -1), (), rows_per_part))
    reason = f"{why}; all {count:,} items are computed, in {len(new)} parts of tag {wanted.tag}."
    return CachePlan(wanted, (), new, _counts(stale=stale, computed=count), reason)


def _compare(
    folder: CacheFolder, published: Mapping[str, Any], wanted: Wanted, rows_per_part: int
) -> CachePlan:
    parts = published["parts"]
    count = len(wanted.item_ids)
    origin = np.full(count, -1)
    changed = np.zeros(count, bool)
    gone = np.zeros(len(parts), np.int64)
    damaged = np.zeros(len(parts), bool)
    for number, part in enumerate(parts):
        try:
            ids, sources = folder.read_ids(part, wanted.tag)
            cache_parts.check_footer(folder.path, part, wanted.tag, published["columns"])
        except DamagedPartError as error:
            logging.warning("%s. Its %d rows are computed again.", error.args[0], part["rows"])
            damaged[number] = True
            continue
        rows = id_table.positions(ids, wanted.item_ids)
        there = rows < count
        rows = rows[there]
        if np.any(origin[rows] >= 0):
            raise UserInputError(
                f"{folder.path!r}: part {part['file']} holds items that another part of version "
                f"{published['version']} holds too. {RECOMPUTE}"
            )
        gone[number] = np.sum(~there)
        origin[rows] = number
        changed[rows] = sources[there] != wanted.sources[rows]
    is_new = origin < 0
    lost = sum(part["rows"] for part, is_lost in zip(parts, damaged, strict=True) if is_lost)
    counts = _counts(
        damaged=lost,
        new=int(is_new.sum()),
        changed=int(changed.sum()),
        gone=int(gone.sum()),
        computed=int(is_new.sum() + changed.sum()),
        reused=int(count - is_new.sum() - changed.sum()),
    )
    left = np.bincount(origin[~is_new], minlength=len(parts))
    touched = damaged | (gone > 0) | (np.bincount(origin[changed], minlength=len(parts)) > 0)
    small = left < rows_per_part / 2
    if is_new.any() and np.sum(small & (left > 0)) >= MOST_SMALL_PARTS:
        merged = is_new | (small[origin] & ~is_new)
    else:
        small, merged = np.zeros(len(parts), bool), is_new
    computed = is_new | changed
    new = list(
        _spread(_rows(wanted, merged), computed[merged], origin[merged], parts, rows_per_part)
    )
    for number in np.flatnonzero(touched & ~small & (left > 0)):
        mine = origin == number
        own = _rows(wanted, mine)
        new.append(_new_part(own, computed[mine], origin[mine], parts))
    kept = tuple(part for number, part in enumerate(parts) if not (touched | small)[number])
    holds = f"version {published['version']} of tag {wanted.tag} holds {published['items']:,} items"
    if not (new or counts["gone"] or lost):
        return CachePlan(wanted, kept, (), counts, f"nothing to do: {holds}, all as wanted.")
    if lost:
        holds += f", {lost:,} of them in {damaged.sum()} damaged parts"
    reason = (
        f"{holds}; {counts['new']:,} new, {counts['changed']:,} of changed vectors, "
        f"{counts['gone']:,} gone: {counts['computed']:,} are computed, {counts['reused']:,} kept; "
        f"{len(new)} parts are written, {len(kept)} stay."
    )
    return CachePlan(wanted, kept, tuple(new), counts, reason)


def _spread(
    wanted: Wanted,
    computed: np.ndarray,
    origin: np.ndarray,
    parts: Sequence[Mapping[str, Any]],
    rows_per_part: int,
) -> Iterator[NewPart]:
    """Yields parts of about `rows_per_part` rows, by hash of the item."""
    count = -(-len(wanted.item_ids) // rows_per_part)
    bucket = hashing.bucket(wanted.item_ids, max(count, 1))
    for number in range(count):
        mine = bucket == number
        if mine.any():
            yield _new_part(_rows(wanted, mine), computed[mine], origin[mine], parts)


def _new_part(
    rows: Wanted, computed: np.ndarray, origin: np.ndarray, parts: Sequence[Mapping[str, Any]]
) -> NewPart:
    reads = tuple(parts[number] for number in np.unique(origin[~computed]))
    return NewPart(rows.item_ids, rows.sources, computed, reads)


def _rows(wanted: Wanted, mask: np.ndarray) -> Wanted:
    return dataclasses.replace(wanted, item_ids=wanted.item_ids[mask], sources=wanted.sources[mask])


def _counts(**given: int) -> dict[str, int]:
    return {
        name: given.get(name, 0)
        for name in ("stale", "damaged", "new", "changed", "gone", "computed", "reused")
    }
