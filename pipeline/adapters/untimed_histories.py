"""Histories that a log repeats in every row, collected once per user and split."""

import sqlite3
from collections.abc import Iterator

_CACHE_KIB = 64 << 10


class UntimedHistories:
    """The first history of each user in each split, on disk beyond 64 MB.

    >>> histories = UntimedHistories()
    >>> histories.add("U1", "train", "N1 N2", line=7)
    >>> histories.add("U1", "train", "N1", line=9)
    7
    """

    def __init__(self) -> None:
        # An empty name is a database in a file that SQLite removes itself.
        self._database = sqlite3.connect("", isolation_level=None)
        for command in (
            f"PRAGMA cache_size = -{_CACHE_KIB}",
            "PRAGMA journal_mode = OFF",
            "CREATE TABLE histories (user TEXT, split TEXT, history TEXT, line INTEGER)",
            "CREATE UNIQUE INDEX owners ON histories (user, split)",
            "BEGIN",
        ):
            self._database.execute(command)

    def add(self, user: str, split: str, history: str, line: int) -> int | None:
        """Takes a user's history, unless the user has one in this split.

        Returns:
          None where the user has this history now; else the line of the one that the user has.
        """
        query = "SELECT history, line FROM histories WHERE user = ? AND split = ?"
        found = self._database.execute(query, (user, split)).fetchone()
        if found is None:
            values = (user, split, history, line)
            self._database.execute("INSERT INTO histories VALUES (?, ?, ?, ?)", values)
            return None
        return None if found[0] == history else int(found[1])

    def differing_users(self) -> int:
        """Returns how many users have different histories in two splits."""
        query = (
            "SELECT count(*) FROM (SELECT user FROM histories GROUP BY user "
            "HAVING min(history) <> max(history))"
        )
        return int(self._database.execute(query).fetchone()[0])

    def rows(self, by_split: bool) -> Iterator[tuple[str, str, str, int]]:
        """Yields user, split, history and line: one row per user and split, or per user."""
        query = "SELECT user, split, history, line FROM histories ORDER BY rowid"
        if not by_split:
            query = (
                "SELECT user, split, history, line FROM histories WHERE rowid IN "
                "(SELECT min(rowid) FROM histories GROUP BY user) ORDER BY rowid"
            )
        yield from self._database.execute(query)
