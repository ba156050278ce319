r"""Compares models on several data sets: one protocol, one budget rule, several seeds; hours.

Usual commands:

    python -m benchmarks.quality --data movielens=../shared/data/movielens \
        --data microlens=../shared/data/microlens --data groceries=build/completejourney \
        --data market_interaction --data market_additive --data market_none \
        --work build/study --output build/study.json
    python -m benchmarks.quality --render --output build/study.json

`benchmarks.ranking_study.quality_protocol` has the protocol, `recipes` how each data set is joined.
The command prints tables in Markdown and writes pictures to `FILE.html` beside the output. A killed
run resumes when it is given the same `--work`. Data sets can be run one at a time into one
`--work`: the tables are of all that are there. Rows of `--models` are the models and LightGBM as
`gradient_boosting`; `dmf_shuffled` is the control, DMF on vectors shuffled between items: it
exposes a pipeline that mixes items up or gains from more parameters alone.

`--data` may also be a folder that the join wrote, `FOLDER` or `NAME=FOLDER`; its own split is used
then, and models that read vectors need `--embeddings`. Another raw log in the layout that
`pipeline.end_to_end.demo_data` reads is joined first, with defaults that depend on its columns.
`--set join.FIELD=VALUE` replaces fields of the join of every raw log.
"""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from typing import Any

from absl import flags, logging

from benchmarks.measuring import result_file
from benchmarks.ranking_study import (
    gradient_boosting,
    quality_data,
    quality_protocol,
    quality_report,
    trial_pool,
)
from benchmarks.ranking_study.quality_data import DataSet
from benchmarks.ranking_study.quality_protocol import Protocol
from benchmarks.ranking_study.study import Study
from benchmarks.ranking_study.trial_pool import TrialPool
from features.errors import UserInputError
from models.inputs.example_set import ExampleSet
from pipeline.runtime import entry_point, json_file
from pipeline.runtime.help_text import flag_group
from pipeline.training_runs import run_config
from pipeline.training_runs.run_config import RunConfig

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Data"):
        flags.DEFINE_multi_string(
            "data", [], "`[NAME=]FOLDER|NAME` Raw log, examples that the join wrote, or a market."
        )
        flags.DEFINE_multi_string(
            "embeddings",
            [],
            "`MODALITY=FOLDER` Embedding set that the join read, for joined examples.",
        )
        flags.DEFINE_list(
            "splits", list(quality_data.SPLITS), "`SPLIT,...` Splits of raw logs: global, user."
        )
        flags.DEFINE_multi_string(
            "behavior_type",
            [],
            "`EXPRESSION` Types of behaviors. Default: by the columns of the log.",
        )
        flags.DEFINE_list(
            "statistics",
            None,
            "`COLUMN,...` Running statistics. Default: by the columns of the log.",
        )
    with flag_group("Models and settings"):
        flags.DEFINE_list("models", None, "`MODEL,...` Rows of the table. Default: all.")
        flags.DEFINE_string(
            "config", None, "`FILE` Python with get_config(), or the run_config.json of a run."
        )
        flags.DEFINE_multi_string(
            "set", [], "`KEY=VALUE` One setting, such as model.heads=2; overrides --config."
        )
        flags.DEFINE_integer(
            "trials",
            1,
            "`COUNT` Settings tried for each model, on validation of all data sets.",
            lower_bound=1,
            upper_bound=quality_protocol.MOST_TRIALS,
        )
        flags.DEFINE_integer(
            "seeds",
            3,
            "`N` Seeds 1 to N of " + ", ".join(quality_protocol.OF_MANY_SEEDS) + ".",
            lower_bound=1,
        )
        flags.DEFINE_integer("other_seeds", 1, "`N` Seeds 1 to N of other rows.", lower_bound=1)
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions.", required=True
        )
        flags.DEFINE_string(
            "work",
            None,
            "`FOLDER` Trials and data sets so far, to resume from. Default: a temporary one.",
        )
        flags.DEFINE_bool("render", False, "Only draw what --output holds already.")
    with flag_group("Scale"):
        flags.DEFINE_integer(
            "workers", 2, "`COUNT` Trials at the same time, each with one thread.", lower_bound=1
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    if _FLAGS.render:
        result = json_file.read(_FLAGS.output, "--render:")
        if "protocol" not in result:
            raise UserInputError(
                f"--render: {_FLAGS.output!r} has no protocol; run the benchmark again."
            )
        _show(result, _FLAGS.output)
        return
    if not _FLAGS.data:
        raise UserInputError("Give --data, or --render to draw what --output holds already.")
    if _FLAGS.models:
        quality_protocol.check_models(_FLAGS.models)
    trial_pool.use_one_thread()
    config = run_config.load(_FLAGS.config, _FLAGS.set)
    with contextlib.ExitStack() as stack:
        work = os.path.abspath(
            _FLAGS.work or stack.enter_context(tempfile.TemporaryDirectory(prefix="quality-"))
        )
        os.makedirs(work, exist_ok=True)
        data = _prepare(config, work)
        models = _FLAGS.models or _default_models(data)
        if quality_protocol.BOOSTING in models:
            gradient_boosting.require()
        protocol = Protocol(tuple(models), _FLAGS.seeds, _FLAGS.other_seeds, _FLAGS.trials)
        result = Study(protocol, config, data, TrialPool(work, _FLAGS.workers), work).result()
    result_file.write(_FLAGS.output, "benchmarks.quality", result)
    _show(result, _FLAGS.output)


def _prepare(config: RunConfig, work: str) -> list[DataSet]:
    overrides = dict(config.join)
    if _FLAGS.behavior_type:
        overrides["behavior_type"] = tuple(_FLAGS.behavior_type)
    if _FLAGS.statistics is not None:
        overrides["statistics"] = tuple(_FLAGS.statistics)
    folders = entry_point.modality_folders(_FLAGS.embeddings)
    embeddings = {name: os.path.abspath(folder) for name, folder in folders.items()}
    return quality_data.prepare(_FLAGS.data, _FLAGS.splits, overrides, embeddings, work)


def _default_models(data: Sequence[DataSet]) -> list[str]:
    """Returns all rows that every data set allows."""
    models = quality_protocol.default_models()
    for one in data:
        needed = ExampleSet.open(one.folder).schema.modality_names
        if missing := sorted(set(needed) - set(one.embeddings)):
            possible = quality_protocol.default_models(with_vectors=False)
            left_out = sorted(set(models) - set(possible))
            logging.warning(
                "Left out without --embeddings for %s of %s: %s.", missing, one.name, left_out
            )
            return possible
    return models


def _show(result: dict[str, Any], output: str) -> None:
    print(quality_report.table(result))
    page = os.path.splitext(output)[0] + ".html"
    quality_report.render(result, page)
    logging.info("The table above is of %s; pictures are in %s.", output, page)


if __name__ == "__main__":
    main()
