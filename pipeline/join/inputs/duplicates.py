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
    order = np.lexsort((row, file, time, user))
    # Few rows have the content of another, and the others need no second sort.
    sorted_content = np.sort(content)
    repeated = sorted_content[1:][sorted_content[1:] == sorted_content[:-1]]
    if not len(repeated):
        return order
    places = np.flatnonzero(np.isin(content[order], repeated))
    rows = order[places]
    by_content = np.lexsort((places, content[rows], time[rows], user[rows]))
    rows = rows[by_content]
    later = ~run_starts(user[rows], time[rows], content[rows])
    return np.delete(order, places[by_content[later]])
