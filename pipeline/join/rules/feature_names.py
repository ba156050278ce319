"""Which names labels and feature columns may have: each name of a record means one thing.

A record and the model's signatures have names of their own, and every column becomes a name beside
them: an item's `price` is `candidate_price`. Two of one name would replace each other without a
word, so they are refused before anything is read.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from features import schema
from features.errors import UserInputError
from features.records import running_statistics
from features.tables.names import feature_name
from serving_signatures import names


@dataclasses.dataclass(frozen=True)
class _Source:
    """Where columns come from.

    Attributes:
      flag: names them.
      feature: returns the name in the record of a column.
      remedy: what to do with columns that cannot stay, without those that can; `{others}` stands
        for the latter.
    """

    flag: str
    feature: Callable[[str], str]
    remedy: str


_LABELS = _Source(
    "--labels",
    str,
    "Give them another name, for instance with --column liked={first} --labels liked",
)
_ITEMS = _Source(
    "--items",
    schema.candidate_feature,
    "Leave them out with --item_features={others}, or give them another name, such as --column "
    "item_{first}={first}",
)
_CONTEXT = _Source(
    "--context",
    schema.context_feature,
    "Leave them out with --context={others}, or give them another name, such as --column "
    "log_{first}={first}",
)
_USERS = _Source(
    "--users",
    schema.context_feature,
    "Leave them out with --user_features={others}, or give them another name, such as --column "
    "user_{first}={first}",
)


@dataclasses.dataclass(frozen=True)
class FeatureNames:
    """The names that the inputs of a join give, as far as they are known.

    Attributes:
      labels: of the records.
      modalities: of the embedding sets.
      has_statistics: whether records have running statistics.
      has_weights: whether candidates have weights, in records or in evaluation.
      has_positions: whether candidates have positions in records.
      items: columns that become features of the candidates.
      context: columns of the log that become features of the request.
      users: columns that become features of the request, too.
    """

    labels: tuple[str, ...]
    modalities: tuple[str, ...] = ()
    has_statistics: bool = False
    has_weights: bool = False
    has_positions: bool = False
    items: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    def check(self) -> None:
        """Checks that no two things have one name.

        Raises:
          UserInputError: they have; it says which, and which names are reserved.
        """
        own, sources = self.own(), self._sources()
        for source, columns in sources:
            taken = [name for name in columns if source.feature(name) in own]
            if taken:
                raise UserInputError(
                    f"{source.flag}: the record or the model has inputs of its own named "
                    f"{_quoted(taken)}. {_remedy(source, columns, taken)}. Reserved beside "
                    f"{source.flag} are: {', '.join(_reserved(source, own))}."
                )
        seen: dict[str, _Source] = {}
        for source, columns in sources:
            for name in columns:
                other = seen.setdefault(source.feature(name), source)
                if other is not source or columns.count(name) > 1:
                    both = "twice" if other is source else f"and {other.flag} as well"
                    raise UserInputError(
                        f"{source.flag} has {name!r} {both}, which is {source.feature(name)!r} in "
                        f"the record both times. {_remedy(source, columns, [name])}."
                    )

    def own(self) -> frozenset[str]:
        """Returns the names that a record and the signatures have without any column."""
        return frozenset(self._own())

    def _own(self) -> Iterator[str]:
        yield from schema.own_features(self.modalities)
        yield names.MASK
        for axis in schema.ITEM_AXES:
            yield from map(axis.feature, names.of_items(self.modalities))
        if self.has_statistics:
            yield schema.candidate_feature(running_statistics.NAME)
            yield schema.context_feature(running_statistics.NAME)
        if self.has_weights:
            yield schema.CANDIDATE_SAMPLE_WEIGHT
        if self.has_positions:
            yield schema.CANDIDATE_POSITION

    def _sources(self) -> list[tuple[_Source, tuple[str, ...]]]:
        return [
            (_LABELS, self.labels),
            (_ITEMS, self.items),
            (_CONTEXT, self.context),
            (_USERS, self.users),
        ]


def column_name(spec: str) -> str:
    """Returns the column of `name[:kind[:width]]`.

    >>> column_name("Tags:categorical:8")
    'tags'
    """
    return feature_name(spec.partition(":")[0].strip())


def _remedy(source: _Source, columns: Iterable[str], taken: list[str]) -> str:
    others = ",".join(name for name in columns if name not in taken)
    return source.remedy.format(others=others or "''", first=taken[0])


def _reserved(source: _Source, own: Iterable[str]) -> list[str]:
    """Returns the columns' names that would be the record's own."""
    prefix = source.feature("")
    return sorted(name.removeprefix(prefix) for name in own if name.startswith(prefix))


def _quoted(taken: Iterable[str]) -> str:
    return ", ".join(map(repr, taken))
