"""Checks the environment, the machine and folders, with remedies.

Each library is loaded in a process of its own, so that one that crashes the interpreter is reported
like any other problem. About 20 seconds.

Usual commands:

    python -m pipeline.doctor
    python -m pipeline.doctor --paths log/ --paths s3://bucket/examples

It exits with 2 where there is a problem; warnings alone are none.
"""

import dataclasses
import json
from collections.abc import Sequence

from absl import flags, logging

from features.errors import UserInputError
from features.files import storage
from pipeline.checkup.examination import examine
from pipeline.checkup.facts import gather
from pipeline.runtime import entry_point, plain_text
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("What is checked, besides the environment"):
        flags.DEFINE_multi_string(
            "paths",
            [],
            "`PLACE` Folder or URI that jobs will read or write; a file is written and "
            "renamed there.",
        )
    with flag_group("Output"):
        flags.DEFINE_string("json", None, "`FILE` JSON of the outcomes, which are printed too.")


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags)


def _main(arguments: Sequence[str]) -> None:
    logging.info("Loading each library in a process of its own, about 20 s")
    outcomes = examine(gather(_FLAGS.paths))
    plain_text.say("\n".join(one.text() for one in outcomes))
    if _FLAGS.json:
        text = json.dumps([dataclasses.asdict(one) for one in outcomes], indent=2)
        storage.write_bytes(_FLAGS.json, f"{text}\n".encode())
    problems = [one.check for one in outcomes if one.status == "problem"]
    if problems:
        raise UserInputError(
            f"{len(problems)} of {len(outcomes)} checks found a problem ({', '.join(problems)}): "
            "the lines above, after ->, have the remedies."
        )


if __name__ == "__main__":
    main()
