"""What an end-to-end run was asked to do, and what its steps have made so far."""

import dataclasses
import os
from typing import Any

from features.embeddings.embedding_set import EmbeddingSet
from features.records.requests import RankingRequest
from models.inputs.example_set import ExampleSet
from models.ranking_model import RankingModel
from pipeline.end_to_end.demo_data import RatingsData
from pipeline.join.options import JoinOptions
from pipeline.statistics.inspection import Inspection
from pipeline.training_runs.run_config import RunConfig
from pipeline.training_runs.training_run import Origin
from serving_signatures.export.saved_model import Exported

COMMAND = "pipeline.run"


@dataclasses.dataclass
class RunState:
    """A run's configuration and the results of its steps so far.

    Attributes:
      config: what to do.
      output: folder for everything.
      overwrite: train anew where a model's folder holds a finished training, or another one.
      seconds: wall time by step.
      data, options: the join's inputs and options; of `prepare_data`.
      manifest: of the joined examples; of `join`.
      inspection, examples, embeddings: statistics and findings, the joined examples, and their
        embedding sets by modality; of `inspect_examples`.
      table_arguments: the flags that another job reads these sets with; likewise.
      models, training, origin: trained models and training figures by name, and the origin of
        the latest training, None where that was finished already; of `train`.
      metrics: of the test split by model; of `evaluate`.
      exported: the published version; of `export_main_model`.
      request, scored: one test request, and its best candidates by title; of `score`.
      latencies: percentiles and samples by model; of `measure_latency`.
    """

    config: RunConfig
    output: str
    overwrite: bool = False
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    data: RatingsData = dataclasses.field(init=False)
    options: JoinOptions = dataclasses.field(init=False)
    manifest: dict[str, Any] = dataclasses.field(init=False)
    inspection: Inspection = dataclasses.field(init=False)
    examples: ExampleSet = dataclasses.field(init=False)
    embeddings: dict[str, EmbeddingSet] = dataclasses.field(init=False)
    table_arguments: list[str] = dataclasses.field(default_factory=list)
    models: dict[str, RankingModel] = dataclasses.field(default_factory=dict)
    training: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    origin: Origin | None = None
    metrics: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    exported: Exported = dataclasses.field(init=False)
    request: RankingRequest = dataclasses.field(init=False)
    scored: dict[str, Any] = dataclasses.field(init=False)
    latencies: dict[str, dict[str, Any]] = dataclasses.field(init=False)

    @property
    def model(self) -> RankingModel:
        """The trained model that is exported."""
        return self.models[self.config.model.name]

    def folder(self, *names: str) -> str:
        """Returns a folder of the output."""
        return os.path.join(self.output, *names)
