"""Flags of execution override the configuration, and only where they are given."""

import pytest
from absl import flags

from pipeline.training_runs import run_config, training_flags


def resolved(*arguments: str):
    values = flags.FlagValues()
    training_flags.define_flags(values)
    values(["train", *arguments])
    return run_config.load(
        None, ["training.intra_op_threads=3", *training_flags.overrides(values)]
    ).training


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), (False, False, 3, 0)),
        (("--mixed_precision",), (True, False, 3, 0)),
        (("--jit_compile", "--intra_op_threads=1"), (False, True, 1, 0)),
        (("--nomixed_precision", "--inter_op_threads=2"), (False, False, 3, 2)),
    ],
)
def test_flags_override_the_configuration(arguments, expected):
    found = resolved(*arguments)
    names = ("mixed_precision", "jit_compile", "intra_op_threads", "inter_op_threads")
    assert tuple(getattr(found, name) for name in names) == expected
