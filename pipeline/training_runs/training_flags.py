"""Flags of `pipeline.train` that say how training is executed; they override the configuration."""

from absl import flags

_NAMES = ("mixed_precision", "jit_compile", "intra_op_threads", "inter_op_threads")


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags."""
    switch, number = flags.DEFINE_bool, flags.DEFINE_integer
    switch("mixed_precision", None, "Matrix products in bfloat16.", flag_values=values)
    switch("jit_compile", None, "Compile the heads with XLA.", flag_values=values)
    for name in ("intra_op_threads", "inter_op_threads"):
        what = "Threads within an op." if name.startswith("intra") else "Ops at once."
        number(name, None, f"{what} 0: as many as cores.", flag_values=values)


def overrides(values: flags.FlagValues = flags.FLAGS) -> list[str]:
    """Returns the flags that were given as `training.key=value`."""
    given = {name: values[name].value for name in _NAMES}
    return [f"training.{name}={value}" for name, value in given.items() if value is not None]
