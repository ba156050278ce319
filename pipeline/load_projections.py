r"""Loads a backfill's published caches into Redis, where clients look them up.

Run it after each backfill: it writes what Redis lacks, beside what is served, counts the rows,
reads a sample back and then lets readers begin with the new tag. Killed, run it again: it goes on.

Usual commands:

    python -m pipeline.load_projections --projections projections/ --redis redis://cache:6379/0
    python -m pipeline.load_projections --projections projections/ --redis redis://cache:6379/0 \
        --rows_per_second 20000 --dry_run

Left in Redis: the entries that `serving_signatures.client.RedisProjectionStore` reads, and per
cache two small hashes about the loads. Nothing is left on disk. Exit code 75 also means that Redis
did not answer, or that a newer version was published meanwhile.
"""

from collections.abc import Sequence

from absl import flags

from pipeline.cache_loading.flags import define_flags
from pipeline.cache_loading.options import LoadOptions
from pipeline.runtime import entry_point

_FLAGS = flags.FLAGS


def main() -> None:
    """The command `dmf-load-projections`."""
    entry_point.run(_main, define_flags, check_flags=lambda _: _options())


def _options() -> LoadOptions:
    return LoadOptions(
        projections=_FLAGS.projections,
        redis=_FLAGS.redis,
        prefix=_FLAGS.prefix,
        saved_model=_FLAGS.saved_model,
        password_file=_FLAGS.password_file,
        ttl_seconds=_FLAGS.ttl_seconds,
        keep_old_seconds=_FLAGS.keep_old_seconds,
        rows_per_second=_FLAGS.rows_per_second,
    )


def _main(_: Sequence[str]) -> None:
    from pipeline.cache_loading import load

    if _FLAGS.verify:
        load.compare_projections(_options())
    else:
        load.load_projections(_options(), dry_run=_FLAGS.dry_run)


if __name__ == "__main__":
    main()
