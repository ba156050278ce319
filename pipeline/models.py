"""Lists, promotes, rolls back and prunes the exported versions of a model.

python -m pipeline.models list|promote|rollback|prune --export_dir DIR [--version N] [--label L]
"""

from collections.abc import Sequence

from absl import flags

from features.errors import UserInputError
from pipeline.releases.model_versions import ModelVersions
from pipeline.runtime import entry_point
from serving_signatures.versions.pruning import MINIMUM_KEPT
from serving_signatures.versions.rollout import CANARY, STABLE

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string(
        "export_dir", None, "The model's folder, of pipeline.export.", required=True
    )
    flags.DEFINE_integer("version", None, "promote: the version; else the newest intact one.")
    flags.DEFINE_enum(
        "label",
        None,
        [STABLE, CANARY],
        "promote: its label; by default none, and it is served by number.",
    )
    flags.DEFINE_string(
        "base_path", None, "promote: the folder as the server sees it; by default /models/<name>."
    )
    flags.DEFINE_multi_string(
        "server",
        [],
        "promote --label: host and REST port of a TF Serving server, which must have loaded the "
        "version; repeatable.",
    )
    flags.DEFINE_integer("keep", MINIMUM_KEPT, "prune: how many intact versions stay.")
    flags.DEFINE_boolean("verify", False, "list: compare every file's sha256, not only its size.")
    flags.DEFINE_boolean("dry_run", False, "Print what would change, and change nothing.")


def main() -> None:
    """Runs the job."""
    verbs = ("list", "promote", "rollback", "prune")
    entry_point.run(_main, define_flags, check_flags=_check_flags, verbs=verbs)


def _check_flags(arguments: Sequence[str]) -> None:
    if _FLAGS.keep < MINIMUM_KEPT:
        raise UserInputError(
            f"--keep {_FLAGS.keep} must be at least {MINIMUM_KEPT}, or there may be no version to "
            "roll back to."
        )


def _main(arguments: Sequence[str]) -> None:
    _check_flags(arguments)
    versions = ModelVersions(_FLAGS.export_dir, _FLAGS.base_path, _FLAGS.dry_run)
    match arguments[0]:
        case "list":
            print(versions.show(_FLAGS.verify))
        case "promote":
            print(versions.promote(_FLAGS.version, _FLAGS.label, _FLAGS.server))
        case "rollback":
            print(versions.rollback())
        case "prune":
            print(versions.prune(_FLAGS.keep))


if __name__ == "__main__":
    main()
