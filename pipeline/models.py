"""Lists, promotes, rolls back, prunes and copies exported versions of a model.

    list      versions with their labels, tags, size and parity; with --verify, exit code 2
              where one is damaged
    promote   adds a version to those that are served, under a label if pipeline.gate passed it
    rollback  gives `stable` back to the previous stable version
    prune     removes old versions that nothing serves
    fetch     copies versions from an object store, compares them, and publishes each by rename

Usual commands:

    python -m pipeline.models list --export_dir serving/dmf
    python -m pipeline.models promote --export_dir serving/dmf --version 2 --label stable

Left on disk: `<export_dir>/models.config`, TF Serving's configuration, replaced by rename;
`<export_dir>/gates/<version>/overrides.json`, each --without_gate.
"""

from collections.abc import Sequence

from absl import flags

from features.errors import UserInputError
from pipeline.releases import fetched_versions
from pipeline.releases.flags import define_flags
from pipeline.releases.model_versions import ModelVersions
from pipeline.runtime import entry_point, plain_text
from serving_signatures.versions.pruning import MINIMUM_KEPT

_FLAGS = flags.FLAGS


def main() -> None:
    """Runs the job."""
    verbs = ("list", "promote", "rollback", "prune", "fetch")
    entry_point.run(_main, define_flags, check_flags=_check_flags, verbs=verbs)


def _check_flags(arguments: Sequence[str]) -> None:
    if _FLAGS.keep < MINIMUM_KEPT:
        raise UserInputError(
            f"--keep {_FLAGS.keep} must be at least {MINIMUM_KEPT}, to have one to roll back to."
        )


def _main(arguments: Sequence[str]) -> None:
    _check_flags(arguments)
    if arguments[0] == "fetch":
        copied = fetched_versions.fetch(_FLAGS.export_dir, _FLAGS.source, _FLAGS.versions)
        plain_text.say(copied)
        return
    versions = ModelVersions(_FLAGS.export_dir, _FLAGS.base_path, _FLAGS.dry_run, _FLAGS.memory_gib)
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
