"""The flags of `pipeline.models`."""

from absl import flags

from pipeline.runtime.help_text import flag_group
from serving_signatures.versions.pruning import MINIMUM_KEPT
from serving_signatures.versions.rollout import CANARY, STABLE


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("All commands"):
        flags.DEFINE_string(
            "export_dir",
            None,
            "`FOLDER` The model's versions, --export_dir of pipeline.export.",
            required=True,
        )
        flags.DEFINE_boolean("dry_run", False, "Print what would change, and change nothing.")
    with flag_group("Of list"):
        flags.DEFINE_boolean(
            "verify", False, "Compare the sha256 of every file, not only its size."
        )
    with flag_group("Of promote"):
        flags.DEFINE_integer(
            "version", None, "`NUMBER` Version to serve. Default: the newest intact one."
        )
        flags.DEFINE_enum(
            "label",
            None,
            [STABLE, CANARY],
            "Label that the version gets. Default: none, and it is served by number.",
        )
        flags.DEFINE_string(
            "without_gate", None, "`REASON` Give --label without a passed gate; it is recorded."
        )
        flags.DEFINE_multi_string(
            "server",
            [],
            "`HOST:PORT` REST address of a TF Serving that must have loaded it; with --label.",
        )
        flags.DEFINE_float(
            "memory_gib",
            None,
            "`GIB` Memory of a server: refuse a version that does not fit beside those loaded.",
            lower_bound=0,
        )
        flags.DEFINE_string(
            "base_path",
            None,
            "`FOLDER` The model's folder as the server sees it. Default: as configured, "
            "else /models/NAME.",
        )
    with flag_group("Of fetch"):
        flags.DEFINE_string(
            "source", None, "`FOLDER` The model's versions elsewhere, such as s3://bucket/dmf."
        )
        flags.DEFINE_list("versions", [], "`NUMBER,...` Versions to copy.")
    with flag_group("Of prune"):
        flags.DEFINE_integer("keep", MINIMUM_KEPT, "`COUNT` Intact versions to keep, at least 3.")
