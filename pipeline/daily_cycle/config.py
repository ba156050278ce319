"""The configuration of the daily cycle, validated as one."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    model_validator,
)
from pydantic.dataclasses import dataclass

from features.schema import STRICT, Name
from models.model_config import ModelConfig
from models.training.config import TrainingConfig
from pipeline.cache_loading.options import KEEP_OLD_SECONDS
from pipeline.daily_cycle.champion_limits import ChampionLimits
from pipeline.join.options import JoinOptions
from pipeline.runtime import python_config
from pipeline.statistics.options import CheckLimits, DriftThresholds
from pipeline.training_runs.run_config import ExportConfig, RunConfig
from pipeline.version_gate.options import GateLimits
from serving_signatures.client.redis_store import PREFIX, TTL_SECONDS
from serving_signatures.versions.pruning import MINIMUM_KEPT

PLACEHOLDER = "{part}"
"""Stands for a part's name in the location of a log."""

ROWS_RATIO = 1.8
"""Between two parts of a log; half of one is missing at 2. Other logs differ by more."""


def _with_rows(values: Any) -> Any:
    """Returns given thresholds, with that of the rows where it is not among them."""
    return {"rows_ratio": ROWS_RATIO, **values} if isinstance(values, dict) else values


_GIVEN_BY_CYCLE = ("events", "label_logs", "embeddings", "items", "output", "part")


@dataclass(frozen=True, config=STRICT)
class CachesConfig:
    """The caches of the catalog's projections.

    Attributes:
      items: the catalog whose projections are kept, folder, file or glob.
      keep: versions of each cache that stay.
      redis: URL of the Redis that clients look them up in, without a password; None for none.
      password_file: holds its password; None for that of the environment, if any.
      prefix: of every key there; one per model.
      ttl_seconds: how long an entry lives there after it was written.
      keep_old_seconds: how long those of the former tag live after the switch.
      rows_per_second: the most rows to write there per second; None for no limit.
    """

    items: str
    keep: PositiveInt = 3
    redis: str | None = None
    password_file: str | None = None
    prefix: str = PREFIX
    ttl_seconds: PositiveInt = TTL_SECONDS
    keep_old_seconds: NonNegativeInt = KEEP_OLD_SECONDS
    rows_per_second: PositiveInt | None = None


@dataclass(frozen=True, config=STRICT)
class PromotionConfig:
    """How a version that passed the gate becomes the one that serves.

    Attributes:
      label: the last label that a version gets by itself; `canary` leaves `stable` to a person.
      servers: `HOST:PORT` of the REST of each TF Serving, which must have loaded a version before
        it gets a label; empty where servers read the configuration when they start.
      wait_seconds: how long the servers may take to load a version.
      base_path: the model's folder as the servers see it; None as `pipeline.models promote`.
      memory_gib: of a server; a version that does not fit beside those that are loaded is not
        promoted. None to compare nothing.
    """

    label: Literal["canary", "stable"] = "stable"
    servers: tuple[str, ...] = ()
    wait_seconds: NonNegativeFloat = 300.0
    base_path: str | None = None
    memory_gib: PositiveFloat | None = None


@dataclass(frozen=True, config=STRICT)
class KeepConfig:
    """What stays on disk.

    Attributes:
      versions: exported versions, besides those that serve.
      models: folders of trained models, besides those that the kept versions come from.
      parts: newest parts of the data set; None for all. Later parts lose nothing by it.
    """

    versions: Annotated[int, Field(ge=MINIMUM_KEPT)] = MINIMUM_KEPT
    models: PositiveInt = 7
    parts: PositiveInt | None = None


@dataclass(frozen=True, config=STRICT)
class CycleConfig:
    """Everything that decides what a cycle does.

    Attributes:
      work: the folder of everything that the cycle makes, local.
      events: the log of one part, with `{part}` for the part's name, as in `log/{part}/`.
      label_logs: logs of their own whose rows set a label, by label, with `{part}` too.
      embeddings: embedding sets by modality, read anew for each part.
      items: item side features, a table that each part reads anew.
      name: of the model in TF Serving.
      join: further fields of `pipeline.join.options.JoinOptions`.
      checks: limits of the checks of the log and of the joined part.
      drift: the change since the part before that stops the cycle; `rows_ratio` is 1.8 where it
        is not given, so that half of a log is noticed.
      settling_parts: parts after the first whose histories are still filling. Their lengths and
        similarities are not compared, and the version that serves does not judge them. 0 where
        the first part is a long log.
      champion: what the new part may do to the figures of the version that serves.
      model: the model.
      training: of the first part, from initial values.
      update: settings of `training` that differ where a part continues the model before.
      export: how the model is exported.
      request_log: requests that clients sent, folder, file or glob, which give the sizes to warm up
        each version with. Until it holds any that the version could answer, sizes are made up.
      gate: what a new version must keep, against the one that serves.
      caches: caches of the catalog's projections; None for none.
      promotion: how a version comes to serve.
      keep: what stays on disk.
    """

    work: str
    events: str
    label_logs: dict[Name, str] = Field(default_factory=dict)
    embeddings: dict[Name, str] = Field(default_factory=dict)
    items: str | None = None
    name: Name = "dmf"
    join: dict[str, Any] = Field(default_factory=dict)
    checks: CheckLimits = Field(default_factory=CheckLimits)
    drift: Annotated[DriftThresholds, BeforeValidator(_with_rows)] = Field(
        default_factory=lambda: DriftThresholds(rows_ratio=ROWS_RATIO)
    )
    settling_parts: NonNegativeInt = 3
    champion: ChampionLimits = Field(default_factory=ChampionLimits)
    model: ModelConfig = Field(default_factory=ModelConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    update: dict[str, Any] = Field(default_factory=dict)
    export: ExportConfig = Field(default_factory=ExportConfig)
    request_log: str | None = None
    gate: GateLimits = Field(default_factory=GateLimits)
    caches: CachesConfig | None = None
    promotion: PromotionConfig = Field(default_factory=PromotionConfig)
    keep: KeepConfig = Field(default_factory=KeepConfig)

    @model_validator(mode="after")
    def _fit_together(self) -> "CycleConfig":
        for where, location in (("events", self.events), *self.label_logs.items()):
            if location.count(PLACEHOLDER) != 1:
                raise ValueError(
                    f"{where} must have {PLACEHOLDER} once, for the part's name, as in "
                    f"log/{PLACEHOLDER}/; received {location!r}"
                )
        if given := sorted(set(self.join) & set(_GIVEN_BY_CYCLE)):
            raise ValueError(f"join has {given}, which the cycle itself sets")
        if "splits" not in self.join:
            raise ValueError(
                "join must have splits, which all parts share, as in "
                "{'splits': 'train:..2030-01-01,test:2030-01-01..'}"
            )
        _ = self.run_config(is_update=True)
        return self

    def join_options(self, part: str) -> JoinOptions:
        """Returns the options of a part's join.

        Raises:
          UserInputError: they are not valid.
        """
        return JoinOptions.from_dict(
            {
                **self.join,
                "events": self.location(self.events, part),
                "label_logs": {
                    name: (self.location(one, part),) for name, one in self.label_logs.items()
                },
                "embeddings": dict(self.embeddings),
                "items": () if self.items is None else (self.items,),
                "output": self.folder("examples"),
                "part": part,
            }
        )

    def run_config(self, is_update: bool) -> RunConfig:
        """Returns the configuration of a training: the first one, or one that continues."""
        training = TypeAdapter(TrainingConfig).dump_python(self.training)
        changed = self.update if is_update else {}
        return RunConfig(
            title=f"{self.name}",
            model=self.model,
            training=TypeAdapter(TrainingConfig).validate_python({**training, **changed}),
            export=self.export,
        )

    def location(self, pattern: str, part: str) -> str:
        """Returns the location of a part's log."""
        return pattern.replace(PLACEHOLDER, part)

    def folder(self, *names: str) -> str:
        """Returns a folder of the cycle's own."""
        return "/".join((self.work.rstrip("/"), *names))


def load(path: str | None, overrides: Sequence[str] = ()) -> CycleConfig:
    """Loads a configuration.

    Args:
      path: as for `python_config.read`.
      overrides: likewise.

    Raises:
      UserInputError: it cannot be read, or is not valid.
    """
    values = python_config.read(path, overrides)
    return python_config.validate(CycleConfig, values, path or "(--set alone)")
