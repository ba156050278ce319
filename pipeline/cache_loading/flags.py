"""The flags of `pipeline.load_projections`."""

from absl import flags

from pipeline.cache_loading.options import KEEP_OLD_SECONDS, PASSWORD
from pipeline.runtime.help_text import flag_group
from serving_signatures.client.redis_store import PREFIX, TTL_SECONDS


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Inputs"):
        flags.DEFINE_string(
            "projections",
            None,
            "`FOLDER` Both caches, --output of pipeline.backfill.",
            required=True,
        )
        flags.DEFINE_string(
            "saved_model",
            None,
            "`FOLDER` Exported version whose tags the caches must have. Default: any tags.",
        )
    with flag_group("Redis"):
        flags.DEFINE_string(
            "redis",
            None,
            "`URL` Server, such as redis://cache:6379/0, without a password.",
            required=True,
        )
        flags.DEFINE_string(
            "password_file",
            None,
            f"`FILE` Holds the server's password. Default: the variable {PASSWORD}.",
        )
        flags.DEFINE_string("prefix", PREFIX, "`WORD` Before every key, as the clients have it.")
    with flag_group("What is loaded"):
        flags.DEFINE_bool("dry_run", False, "Log what would be loaded, and write nothing.")
        flags.DEFINE_bool("verify", False, "Compare every row in Redis with the caches, no more.")
        flags.DEFINE_integer(
            "rows_per_second",
            None,
            "`ROWS` The most rows to write per second. Default: no limit.",
            lower_bound=1,
        )
    with flag_group("How long it lives"):
        flags.DEFINE_integer(
            "ttl_seconds",
            TTL_SECONDS,
            "`SECONDS` Life of an entry after it was written; run again before half of it is over.",
            lower_bound=60,
        )
        flags.DEFINE_integer(
            "keep_old_seconds",
            KEEP_OLD_SECONDS,
            "`SECONDS` Life of the former tag's entries after the switch, while it may be served.",
            lower_bound=0,
        )
