"""The configuration of a run: a Python file and overrides, validated as one."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from features.errors import UserInputError
from features.schema import STRICT
from models.model_config import ModelConfig
from models.training.config import TrainingConfig
from pipeline.runtime import python_config
from pipeline.statistics.options import CheckLimits, DriftConfig
from serving_signatures import call_size

FORMER_FLAGS = ("mixed_precision", "jit_compile", "intra_op_threads", "inter_op_threads")
"""Settings of `training` that were flags of `pipeline.train` too; old run folders name them."""


@dataclass(frozen=True, config=STRICT)
class DataConfig:
    """The source of a run's input.

    Attributes:
      source: a folder with `ratings.parquet`, `items.parquet` and `embeddings/*.parquet`; None
        for the ratings that ship with the demo's dependencies.
      content_dimension: width of the embeddings computed from titles and genres where the
        source brings none.
    """

    source: str | None = None
    content_dimension: PositiveInt = 64


@dataclass(frozen=True, config=STRICT)
class ExportConfig:
    """The export of the model.

    Attributes:
      embeddings_inside: keep the quantized embedding sets inside the model; otherwise requests
        carry the vectors.
      batch_sizes: allowed batch sizes R, written as TF Serving's batching parameters.
      max_pairs: the largest call that the model answers, in pairs of candidate and behavior.
      kernels: compute by native kernels, which servers then have to have; else by stock ops alone.
    """

    embeddings_inside: bool = True
    batch_sizes: tuple[PositiveInt, ...] = (1, 2, 4, 8)
    max_pairs: PositiveInt = call_size.DEFAULT_MAX_PAIRS
    kernels: bool = False


@dataclass(frozen=True, config=STRICT)
class ServingConfig:
    """The request whose latency is measured.

    Attributes:
      candidates: C, of the request.
      repeats: timed calls per model; the models take turns.
    """

    candidates: PositiveInt = 1200
    repeats: PositiveInt = 50


@dataclass(frozen=True, config=STRICT)
class RunConfig:
    """Everything that decides what a run does.

    Attributes:
      title: of the report.
      data: the input.
      join: fields of `pipeline.join.options.JoinOptions` besides its inputs and output.
      checks: limits of the checks of the joined examples, before anything is trained.
      drift: what they are compared with, and how much change stops the run.
      model: the model that is exported.
      baselines: names of models trained beside it with the same settings, for comparison.
      training: how they are trained.
      export: how the model is exported.
      serving: the request whose latency is measured.
      ablation: say in the report what each path of the model carries; the test split is scored
        once more per path.
      sample_requests: held-out requests that the parity gate compares besides random ones.
    """

    title: str = "DMF"
    data: DataConfig = Field(default_factory=DataConfig)
    join: dict[str, Any] = Field(default_factory=dict)
    checks: CheckLimits = Field(default_factory=CheckLimits)
    drift: DriftConfig = Field(default_factory=DriftConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    baselines: tuple[str, ...] = ("id_only",)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    export: ExportConfig = Field(default_factory=ExportConfig)
    serving: ServingConfig = Field(default_factory=ServingConfig)
    ablation: bool = True
    sample_requests: NonNegativeInt = 8


def load(path: str | None, overrides: Sequence[str] = ()) -> RunConfig:
    """Loads a configuration.

    Args:
      path: a file as for `python_config.read`, or the name of one in `pipeline.configs`: `demo`.
      overrides: as for `python_config.read`.

    Raises:
      UserInputError: the file or an override cannot be read, there is no configuration of that
        name, or a key is unknown or a value out of range.
    """
    values = python_config.read(_file(path), overrides)
    return python_config.validate(RunConfig, values, path or "(defaults)")


def check(path: str | None, overrides: Sequence[str]) -> RunConfig:
    """Loads a configuration, without a file that does not exist on this machine."""
    found = _file(path)
    return load(found if found and os.path.exists(found) else None, overrides)


def _file(path: str | None) -> str | None:
    """Returns the file of a configuration that is given by its name; a path as it is."""
    if path is None or os.path.isfile(path) or not path.isidentifier():
        return path
    files = resources.files("pipeline.configs")
    modules = [one for one in files.iterdir() if one.name.endswith(".py")]
    shipped = {one.name.removesuffix(".py"): one for one in modules}
    names = sorted(name for name in shipped if name.isidentifier() and name != "__init__")
    if path not in names:
        raise UserInputError(
            f"--config {path!r} is neither a file nor a configuration that ships: "
            f"{', '.join(names)}."
        )
    return str(shipped[path])


def to_dict(config: RunConfig) -> dict[str, Any]:
    """Returns the resolved configuration as plain JSON values."""
    return TypeAdapter(RunConfig).dump_python(config, mode="json")


def changed(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings that are not the default, by dotted name.

    >>> changed({"model": {"heads": 2}, "training": {"seed": 1}})
    {'model.heads': 2}

    Args:
      sections: of `to_dict`, any of them; settings that this version does not know are changes.
    """
    defaults = to_dict(RunConfig())
    return {
        f"{section}.{name}": value
        for section, values in sections.items()
        for name, value in values.items()
        if name not in defaults[section] or value != defaults[section][name]
    }


def with_name(config: ModelConfig, name: str) -> ModelConfig:
    """Returns the settings of another model on the same backbone.

    Raises:
      UserInputError: there is no model of that name.
    """
    try:
        return dataclasses.replace(config, name=name)  # type: ignore[arg-type]  # Validated.
    except ValidationError as error:
        raise UserInputError(f"baselines: {error.errors()[0]['msg']}, received {name!r}") from error
