"""Tables as aligned text."""

from collections.abc import Sequence

from pipeline.runtime import plain_text


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Returns one line per row, all of equal length, with columns as wide as their widest text.

    >>> print(aligned([("model", "auc"), ("dmf", "0.81"), ("id_only", "0.80")]))
    model    auc
    dmf      0.81
    id_only  0.80

    Hidden characters, line ends too, are escaped: a cell stays in its row.
    """
    rows = [[plain_text.escaped(text) for text in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
