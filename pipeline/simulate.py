"""Simulates a marketplace's log with a known ground truth.

About 2 s per million events. Impressions in requests, clicks and conversions, items that appear
during the simulated time, modalities whose similarity matters as `--content` says.
The same parameters give the same bytes on the same machine and versions.

Usual commands:

    python -m pipeline.simulate --output market/ --events 20000 --users 500 --items 1000
    python -m pipeline.simulate --output market/ --events 10000000 --label_events separate

Left on disk:

    impressions/part-00000.parquet   request_id, user_id, item_id, timestamp (ms), position,
                                     device; click, conversion with --label_events inline
    clicks/, conversions/            with --label_events separate: request_id, user_id, item_id,
                                     timestamp (ms), late and sometimes twice
    items/, users/                   side features
    embeddings/<modality>/           embedding sets
    truth/                           row by row as impressions/: request_id, item_id, click,
                                     conversion, click_probability, conversion_probability (given
                                     a click), similarity
    truth_items/                     item_id, quality, gate
    truth.json                       the best AUC on the last fifth of the time, that of ids alone
                                     and that of the item's rate
    manifest.json                    parameters, counts, sha256 of every file
"""

import dataclasses
import time
from collections.abc import Sequence

from absl import flags, logging

from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group
from pipeline.simulation import ground_truth
from pipeline.simulation.flags import define_kind
from pipeline.simulation.settings import MarketplaceSettings, parse_modalities
from pipeline.simulation.simulation import simulate


def define_flags() -> None:
    """Defines the simulator's flags."""
    default = MarketplaceSettings()
    with flag_group("Size"):
        flags.DEFINE_integer("events", default.events, "`COUNT` Impressions, exactly.")
        flags.DEFINE_integer("users", default.users, "`COUNT` Users, of skewed activity.")
        flags.DEFINE_integer("items", default.items, "`COUNT` Items, with those that appear later.")
        flags.DEFINE_integer(
            "candidates",
            default.candidates,
            "`C` Mean candidates per request; 1 to 2 C - 1 are equally likely.",
        )
        flags.DEFINE_integer("days", default.days, "`DAYS` Simulated time.")
    define_kind(default)
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FOLDER` Log, catalog, embedding sets and truth, local.", required=True
        )


def main() -> None:
    """The command `dmf-simulate`."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    names = [field.name for field in dataclasses.fields(MarketplaceSettings)]
    values = {name: flags.FLAGS[name].value for name in names}
    values["modalities"] = parse_modalities(flags.FLAGS.modalities)
    settings = MarketplaceSettings.from_dict(values)
    begin = time.perf_counter()
    written = simulate(flags.FLAGS.output, settings)
    seconds = time.perf_counter() - begin
    logging.info("%s in %.1f s: %s", flags.FLAGS.output, seconds, written["counts"])
    ground_truth.log(flags.FLAGS.output)


if __name__ == "__main__":
    main()
