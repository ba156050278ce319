"""The flag `--min_coverage` of every job in which ids have to meet."""

from absl import flags

from features.ids import coverage


def define_min_coverage(of: str) -> None:
    """Defines the flag, within a `flag_group`.

    Args:
      of: what the share is of and what these have, such as `items of the catalog that have a
        vector`; at most twelve words.
    """
    flags.DEFINE_float(
        "min_coverage",
        coverage.DEFAULT,
        f"`SHARE` Least share of {of}; 0 to 1.",
        lower_bound=0.0,
        upper_bound=1.0,
    )
