"""The flags of `pipeline.train`, and those of a configuration, which `pipeline.run` has too."""

from absl import flags

from pipeline.runtime.coverage_flags import define_min_coverage
from pipeline.runtime.help_text import flag_group
from pipeline.tables.flags import define_table_flags


def define_configuration(heading: str) -> None:
    """Defines `--config` and `--set`, the arguments of `run_config.load`, in a group."""
    with flag_group(heading):
        flags.DEFINE_string(
            "config",
            None,
            "`FILE|NAME` Python with get_config(), the run_config.json of a run, or demo: the "
            "configuration of `make demo`, which ships.",
        )
        flags.DEFINE_multi_string(
            "set", [], "`KEY=VALUE` One setting, such as model.heads=2; overrides --config."
        )


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Inputs"):
        flags.DEFINE_string(
            "examples", None, "`FOLDER` Examples that the join wrote.", required=True
        )
        flags.DEFINE_string(
            "part",
            None,
            "`NAME` The only part to train on, of a data set of parts. Default: all parts.",
        )
        flags.DEFINE_multi_string(
            "embeddings",
            [],
            "`MODALITY=FOLDER` Embedding set, for models that read vectors: dmf and dta do if "
            "given, raw_vectors and make need it.",
        )
        flags.DEFINE_string(
            "vocabulary",
            None,
            "`FOLDER` Output of build_vocabulary, or a file of ids. Default: the join's "
            "vocabulary.",
        )
        flags.DEFINE_string(
            "warm_start",
            None,
            "`FOLDER` Model to start from; last: the one beside --model_dir whose name "
            "precedes its own.",
        )
        define_min_coverage("vocabulary items in --embeddings, --vocabulary and --warm_start each")
    with flag_group("Tables"):
        define_table_flags()
    define_configuration("Settings of model and training")
    with flag_group("Output"):
        flags.DEFINE_string(
            "model_dir",
            None,
            "`FOLDER` Model to write, local; holds the checkpoints while it trains.",
            required=True,
        )
        flags.DEFINE_bool(
            "overwrite",
            False,
            "Train anew where --model_dir holds a finished training, or another one.",
        )
