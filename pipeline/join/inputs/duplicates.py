"""Where runs of equal keys begin in sorted arrays, and which rows of a log are duplicates."""

import numpy as np


def run_starts(*keys: np.ndarray) -> np.ndarray:
    """Returns where a run of equal keys begins.

    >>> run_starts(np.array([1, 1, 2]), np.array([5, 6, 6])).tolist()
    [True, True, True]

    Args:
      *keys: `[N]` each, sorted together.

    Returns:
      `[N]` bool.
    """
    new = np.ones(len(keys[0]), bool)
    new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return new


def first_of_duplicates(
    user: np.ndarray, time: np.ndarray, content: np.ndarray, file: np.ndarray, row: np.ndarray
) -> np.ndarray:
    """Returns the positions of events that are no duplicate of an earlier row.

    Args:
      user: `[N]`.
      time: `[N]`.
      content: `[N]` hash of the whole row.
      file: `[N]`.
      row: `[N]`.

    Returns:
      `[E]` positions, by user, time, file and row.
    """
    order = np.lexsort((row, file, content, time, user))
    kept = order[run_starts(user[order], time[order], content[order])]
    return kept[np.lexsort((row[kept], file[kept], time[kept], user[kept]))]
