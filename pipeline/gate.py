r"""Compares an exported version with the stable one, and passes or refuses it.

Both score the same held-out records. AUC, GAUC, normalized entropy and calibration are compared
overall and by slice, with a paired bootstrap over users. `pipeline.models promote` gives a label
only to a version that has passed.

Usual commands:

    python -m pipeline.gate --export_dir serving/dmf --examples examples/
    python -m pipeline.gate --export_dir serving/dmf --examples days/ --part 2026-05-02 \
        --limit min_users=1000

Left on disk: `<export_dir>/gates/<version>/against-<champion>.json`, or `alone.json` where no
version is stable.

It exits with 2 also where the version is refused.
"""

from collections.abc import Sequence

from absl import flags

from features.errors import UserInputError
from pipeline.runtime import entry_point, named_values, plain_text
from pipeline.runtime.help_text import flag_group
from pipeline.version_gate.options import GateLimits, GateOptions

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Versions"):
        flags.DEFINE_integer(
            "version", None, "`NUMBER` Version to judge. Default: the newest intact one."
        )
        flags.DEFINE_integer(
            "champion",
            None,
            "`NUMBER` Version to compare with. Default: the one labeled stable, if any.",
        )
    with flag_group("Records"):
        flags.DEFINE_string(
            "examples", None, "`FOLDER` Examples that the join wrote.", required=True
        )
        flags.DEFINE_string(
            "part", None, "`NAME` The only part to score, of a data set of parts. Default: all."
        )
        flags.DEFINE_string(
            "split", None, "`SPLIT` Split to score. Default: test, or validation without one."
        )
    with flag_group("Limits"):
        flags.DEFINE_multi_string(
            "limit", [], "`NAME=VALUE` Limit that the version must keep, such as loss=0.02."
        )
    with flag_group("Output"):
        flags.DEFINE_string(
            "export_dir",
            None,
            "`FOLDER` The model's versions, --export_dir of pipeline.export.",
            required=True,
        )


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags, check_flags=_limits)


def _limits(arguments: Sequence[str]) -> GateLimits:
    values = named_values.assigned("limit", _FLAGS.limit)
    return named_values.parse(GateLimits, values, "--limit")


def _main(arguments: Sequence[str]) -> None:
    limits = _limits(arguments)
    from pipeline.version_gate import gate, verdict_table

    options = GateOptions(
        export_dir=_FLAGS.export_dir,
        examples=_FLAGS.examples,
        version=_FLAGS.version,
        champion=_FLAGS.champion,
        part=_FLAGS.part,
        split=_FLAGS.split,
        limits=limits,
    )
    verdict = gate.gate(options)
    plain_text.say(verdict_table.describe(verdict))
    if not verdict.passed:
        raise UserInputError(verdict_table.refusal(verdict))


if __name__ == "__main__":
    main()
