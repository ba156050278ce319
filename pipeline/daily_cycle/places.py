"""The paths of a cycle: its own folder leaves alone what it reads."""

from collections.abc import Iterator

from pipeline.daily_cycle.config import CycleConfig
from pipeline.join.options import JoinOptions
from pipeline.runtime import path_rules
from pipeline.runtime.path_rules import Place


def check(config: CycleConfig, part: str) -> None:
    """Checks that the cycle's folder meets no input, and that TensorFlow can read it.

    Raises:
      UserInputError: it does, or cannot; or the settings of the join are not valid.
    """
    path_rules.check_readable("work", config.work, saved_model=True)
    inputs = list(_inputs(config.join_options(part)))
    if config.caches is not None:
        inputs.append(Place("caches.items", config.caches.items))
    if config.request_log is not None:
        inputs.append(Place("request_log", config.request_log))
    path_rules.check([Place("work", config.work)], inputs)


def _inputs(options: JoinOptions) -> Iterator[Place]:
    for name in ("events", "items", "users", "histories"):
        yield from (Place(name, path) for path in getattr(options, name))
    for group in ("label_logs", "embeddings"):
        for name, paths in getattr(options, group).items():
            yield from (Place(f"{group}.{name}", path) for path in paths)
