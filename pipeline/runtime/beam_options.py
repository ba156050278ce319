"""Beam's own flags, checked before Beam sees them."""

from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from features.errors import UserInputError
from pipeline.runtime.job_endpoint import check_job_endpoint

_DEFAULT_RUNNER = "FnApiRunner"
_IN_PROCESS = ("FnApiRunner", "BundleBasedDirectRunner", "DirectRunner", "SwitchingDirectRunner")


def check_beam_flags(beam_args: Sequence[str]) -> None:
    """Raises `UserInputError` for an unknown flag, which Beam itself would ignore."""
    known = set(PipelineOptions([]).get_all_options())
    options = PipelineOptions(list(beam_args))
    unknown = set(options.get_all_options(retain_unknown_options=True)) - known
    stray = [text for text in beam_args[:1] if not text.startswith("-")]
    if unknown or stray:
        names = [f"--{name}" for name in sorted(unknown)] + stray
        raise UserInputError(
            f"Unknown flags {', '.join(names)}: neither this job's (see --help) nor Beam's."
        )


def parse_beam_options(beam_args: Sequence[str]) -> PipelineOptions:
    """Returns Beam's options, with its in-process runner unless another is named.

    Raises:
      UserInputError: a flag is neither ours nor Beam's, or no job server answers at
        `--job_endpoint`.
    """
    check_beam_flags(beam_args)
    options = PipelineOptions(list(beam_args))
    if not any(text.startswith("--runner") for text in beam_args):
        options = PipelineOptions([*beam_args, f"--runner={_DEFAULT_RUNNER}"])
    check_job_endpoint(options)
    return options


def is_in_process(options: PipelineOptions) -> bool:
    """Whether the runner executes in the launcher's process."""
    runner = options.get_all_options()["runner"] or ""
    return runner.rpartition(".")[2] in _IN_PROCESS
