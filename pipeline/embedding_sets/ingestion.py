"""Ingestion: a delivery of vectors becomes the next version of an embedding set.

Vectors are validated and quantized. Bad rows go to `quarantine/` with their reason. Items that the
delivery does not have keep the vector of the version before. A delivery that changes nothing makes
no version. The whole set is held in memory, one byte per value.
"""

from collections.abc import Sequence
from typing import Any

from absl import logging

from features import id_kinds
from features.embeddings import embedding_files
from features.embeddings.embedding_files import ALWAYS
from features.embeddings.embedding_set import row_fingerprints, sum_fingerprints
from features.errors import UserInputError
from features.files import storage, versions
from features.id_kinds import KEY, IdKinds
from features.ids import coverage
from features.tables.options import DEFAULT, TableOptions
from features.tables.renames import check_renames_used
from pipeline.embedding_sets import delivery_checks, embedding_versions
from pipeline.embedding_sets.delivery import read_delivery
from pipeline.publishing.publication import QUARANTINE, Publication, locked
from pipeline.publishing.shards import HashedFile, json_line
from pipeline.runtime import left_out


def ingest(
    vectors: str | Sequence[str],
    output: str,
    encoder: str,
    encoder_version: str,
    *,
    dimension: int | None = None,
    available_at: int | None = None,
    available_at_unit: str = "us",
    replace: bool = False,
    max_bad_fraction: float = 0.01,
    keep: int = 3,
    min_coverage: float = coverage.DEFAULT,
    options: TableOptions = DEFAULT,
) -> dict[str, Any]:
    """Publishes the next version of an embedding set; nothing where the delivery changes nothing.

    Args:
      vectors: the delivery: folders, files or globs.
      output: folder of the set's versions, local or remote.
      encoder: name of the encoder.
      encoder_version: its version.
      dimension: width M; None for the set's, or the most frequent one.
      available_at: microseconds, of rows without one; None for always.
      available_at_unit: of integers in the column `available_at`: `s`, `ms`, `us` or `ns`.
      replace: keep nothing of the version before.
      max_bad_fraction: largest share of rows to quarantine.
      keep: versions to keep.
      min_coverage: with `replace`, the least share of the items of the version before that have a
        vector in the new one; 0 also lets ids become of another kind.
      options: how the delivery is read.

    Returns:
      The manifest of the published version.

    Raises:
      UserInputError: files are not readable, too many rows are bad, the vectors have another
        encoder, width or kind of ids than the set, are of other items, or times are in another
        unit. Nothing is published then.
    """
    files = embedding_files.open_files(vectors, "vectors", options, available_at_unit)
    where = files.table.location
    check_renames_used(options, [files.table])
    delivery_checks.check_times(files, available_at, available_at_unit)
    with locked(output):
        found = embedding_versions.published(output)
        before = None if found is None or replace else found
        if before is not None:
            delivery_checks.check_alike(before, encoder, encoder_version, dimension)
            dimension = before["dimension"]
        wanted = dimension or files.dimension
        time = ALWAYS if available_at is None else available_at
        # Before the vectors are read: what reads them checks that the files stayed the same.
        digests = {files.names[path]: digest for path, digest in files.sha256.items()}
        delivery = read_delivery(files, wanted, time)
        identity = {
            "encoder": encoder,
            "version": encoder_version,
            "dimension": wanted,
            "delivery": digests,
            "before": None if before is None else before["fingerprint"],
        }
        number = (versions.current(output) or 0) + 1
        path = versions.path_of(output, number)
        publication = Publication(path, identity)
        if found is None:
            _check_unpublished(publication, output)
        # A folder with a higher number was never published, or was rolled back.
        storage.remove_folder(path)
        with publication.staging() as building:
            if delivery.rejected:
                quarantine = storage.join(building, QUARANTINE)
                storage.make_folder(quarantine)
                with HashedFile(storage.join(quarantine, "vectors.jsonl")) as file:
                    for row in delivery.rejected:
                        file.write(json_line(row))
            delivery_checks.check_counts(delivery, where, max_bad_fraction)
            if replace and found is not None:
                delivery_checks.check_replacement(output, files, delivery, where, min_coverage)
            earlier = None if before is None else embedding_versions.read_published(output)
            if before is not None and earlier is not None:
                kind = id_kinds.item_kind(before) or id_kinds.of_type(earlier.keys.type)
                delivery_checks.check_kind(
                    files.item_kind, where, kind, output, "give another --output"
                )
            merged, changes = embedding_versions.merge(earlier, delivery.vectors)
            counts = {"read": delivery.rows, **changes, "quarantined": delivery.reasons}
            logging.info("%d rows: %s", delivery.rows, counts)
            if before is not None and not (changes["new"] or changes["changed"]):
                publication.abandon()
                storage.remove_folder(f"{path}.rejected")
                logging.info("%s holds all vectors already: nothing to do.", output)
                left_out.log("--vectors", delivery.reasons, delivery.rows)
                embedding_versions.prune(output, keep)
                return before
            values = {
                "count": len(merged.item_ids),
                "counts": counts,
                "fingerprint": sum_fingerprints(
                    row_fingerprints(merged.item_ids, merged.quantized, merged.available_at)
                ),
                "sha256": embedding_versions.write(building, merged),
                "set_version": number,
                KEY: IdKinds(item=files.item_kind).to_dict(),
            }
            if renamed := files.table.renamed(embedding_files.COLUMNS):
                values["columns"] = {"vectors": renamed}
            published = publication.complete(values)
        versions.publish(output, number)
        embedding_versions.prune(output, keep)
    logging.info("Published version %d of %s: %d items.", number, output, published["count"])
    listed = f"They are in {storage.join(path, QUARANTINE)}."
    left_out.log("--vectors", delivery.reasons, delivery.rows, listed)
    return published


def _check_unpublished(publication: Publication, output: str) -> None:
    """Refuses a first version without a pointer, unless this delivery's job left it."""
    try:
        publication.existing()
    except UserInputError as error:
        pointer = storage.join(output, versions.POINTER)
        raise UserInputError(
            f"{pointer!r} is missing, but there is a first version: {error} If it was published, "
            f"write 1 into {versions.POINTER}."
        ) from error
