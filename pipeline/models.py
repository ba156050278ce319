"""Lists, promotes, rolls back and prunes the exported versions of a model.

    list      versions with their labels, tags, size and parity; with --verify, exit code 2
              where one is damaged
    promote   adds a version to those that are served, under a label if pipeline.gate passed it
    rollback  gives `stable` back to the previous stable version
    prune     removes old versions that nothing serves

Usual commands:

    python -m pipeline.models list --export_dir serving/dmf
    python -m pipeline.models promote --export_dir serving/dmf --version 2 --label stable

Left on disk: `<export_dir>/models.config`, TF Serving's configuration, replaced by rename;
`<export_dir>/gates/<version>/overrides.json`, each --without_gate.
"""

from collections.abc import Sequence

from absl import flags

from features.errors import UserInputError
from pipeline.releases.model_versions import ModelVersions
from pipeline.runtime import entry_point, plain_text
from pipeline.runtime.help_text import flag_group
from serving_signatures.versions.pruning import MINIMUM_KEPT
from serving_signatures.versions.rollout import CANARY, STABLE

_FLAGS = flags.FLAGS


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
    with flag_group("Of prune"):
        flags.DEFINE_integer("keep", MINIMUM_KEPT, "`COUNT` Intact versions to keep, at least 3.")


def main() -> None:
    """Runs the job."""
    verbs = ("list", "promote", "rollback", "prune")
    entry_point.run(_main, define_flags, check_flags=_check_flags, verbs=verbs)


def _check_flags(arguments: Sequence[str]) -> None:
    if _FLAGS.keep < MINIMUM_KEPT:
        raise UserInputError(
            f"--keep {_FLAGS.keep} must be at least {MINIMUM_KEPT}, to have one to roll back to."
        )


def _main(arguments: Sequence[str]) -> None:
    _check_flags(arguments)
    versions = ModelVersions(
        _FLAGS.export_dir, _FLAGS.base_path, _FLAGS.dry_run, _FLAGS.memory_gib
    )
    match arguments[0]:
        case "list":
            plain_text.say(versions.show(_FLAGS.verify))
            if _FLAGS.verify:
                versions.check()
        case "promote":
            options = (_FLAGS.version, _FLAGS.label, _FLAGS.server, _FLAGS.without_gate)
            plain_text.say(versions.promote(*options))
        case "rollback":
            plain_text.say(versions.rollback())
        case "prune":
            plain_text.say(versions.prune(_FLAGS.keep))


if __name__ == "__main__":
    main()
