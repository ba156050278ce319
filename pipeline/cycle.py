r"""Takes a part of the log through the cycle: joined, trained, judged, promoted.

Usual commands:

    python -m pipeline.cycle --config production.py --part 2026-05-02
    python -m pipeline.cycle --config production.py --status

A part goes on where it was, and one that is done says so. Where a step finds something wrong, the
part stops there, with exit code 2 and the reason; what served before serves on.

Left on disk, in `work` of the configuration: `examples/`, `statistics/`, `models/<part>/`,
`serving/<name>/<version>/`, `projections/`, `cycle/<part>/` with what is done, and `report/`.

SIGTERM stops a training after a checkpoint, with exit code 75; the same command resumes it.
"""

from collections.abc import Sequence

from absl import flags

from features.errors import UserInputError
from pipeline.runtime import entry_point, plain_text
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Configuration"):
        flags.DEFINE_string(
            "config", None, "`FILE` Python with get_config(), or JSON.", required=True
        )
        flags.DEFINE_multi_string("set", [], "`KEY=VALUE` One setting; overrides --config.")
    with flag_group("Parts"):
        flags.DEFINE_string("part", None, "`NAME` The part, such as 2026-05-02.")
        flags.DEFINE_string("from", None, "`NAME` The first of several parts; needs --to.")
        flags.DEFINE_string("to", None, "`NAME` The last of them; parts are what the log has.")
    with flag_group("What to do"):
        flags.DEFINE_string(
            "step", None, "`NAME` The only step to run; those before it must be done."
        )
        flags.DEFINE_string(
            "skip", None, "`REASON` Leave the part out, so that later parts may follow."
        )
        flags.DEFINE_bool("status", False, "Print a table of parts by step, and do nothing.")


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags, check_flags=_check_flags)


def _check_flags(arguments: Sequence[str]) -> None:
    ways = [_FLAGS.part is not None, _FLAGS["from"].value is not None, _FLAGS.status]
    if sum(ways) != 1:
        raise UserInputError("Give one of --part, --from with --to, and --status.")
    if (_FLAGS["from"].value is None) != (_FLAGS.to is None):
        raise UserInputError("--from and --to go together.")
    if _FLAGS.skip is not None and (_FLAGS.part is None or _FLAGS.step is not None):
        raise UserInputError("--skip leaves one --part out, without --step.")


def _main(arguments: Sequence[str]) -> None:
    from features.files import locks
    from pipeline.daily_cycle import config as cycle_config
    from pipeline.daily_cycle import cycle, part_names, places, report, status, steps

    _check_flags(arguments)
    if _FLAGS.part is not None:
        part_names.check(_FLAGS.part)
    config = cycle_config.load(_FLAGS.config, _FLAGS.set)
    every = steps.all_steps()
    if _FLAGS.status:
        plain_text.say(status.table(config, steps.NAMES))
        return
    with locks.locked(config.work, "work"):
        if _FLAGS.skip is not None:
            cycle.skip(config, _FLAGS.part, every, _FLAGS.skip)
            return
        parts = [_FLAGS.part]
        if _FLAGS.part is None:
            parts = part_names.between(config.events, str(_FLAGS["from"].value), str(_FLAGS.to))
        for part in parts:
            places.check(config, part)
            try:
                plain_text.say(cycle.run_part(config, part, every, _FLAGS.step))
            finally:
                report.write(config, part, steps.NAMES)


if __name__ == "__main__":
    main()
