"""Texts that a reader of YAML, a shell or Docker may take for something else."""

import random

# By YAML 1.1, YAML 1.2, go-yaml or a shell; the empty text and what looks like syntax.
TEXTS = (
    *("1e3", "1e-3", "1E3", ".5", "5.", "+1.5e+3", "1_000", "0o17", "017", "0x1f", "0b11", "-0"),
    *("12:30:00", "190:20:30.15", "2026-05-01", "2026-05-01T10:00:00Z", ".inf", "-.Inf", ".nan"),
    *("on", "Off", "yes", "NO", "y", "N", "true", "False", "null", "Null", "~", "", "=", "<<"),
    *(
        " 1",
        "1 ",
        " ",
        "a ",
        " a",
        "\ta",
        "a\tb",
        "a\nb",
        "a\n",
        "\n",
        "a\n\nb: c",
        "-",
        "- a",
        "--",
    ),
    *("a: b", "a #b", "#a", "&a", "*a", "!a", "!!int 3", "%a", "@a", "`a`", "|", ">", "? a", "{}"),
    *("[1]", "{a: b}", "'a'", '"a"', "\\", "\\n", "a\\", "'", '"', "''", "---", "...", "a\n---\nb"),
    *(
        "$(HOME)",
        "$HOME",
        "$$",
        "`id`",
        ";id",
        "a;id",
        "a&&b",
        "é",
        "日本語",
        "😀",
        "\ufeffa",
        "a\u00a0b",
    ),
)

# Each is refused, wherever it stands.
HIDDEN = ("\0", "a\x1b[31m", "\x07", "a\rb", "\x7f", "\x85", "\u2028", "\u202ea", "\udc80")

_PARTS = ("e", "E", "_", ".", "-", "+", ":", "0", "1", "7", "x", "o", "b", " ", "\n", "\t", "'")
_MORE = ('"', "\\", "#", "$", "(", ")", "{", "}", "[", "]", ",", "&", "*", "!", "|", ">", "%", "y")


def drawn(count: int, seed: int = 0) -> list[str]:
    """Draws short texts of the characters that decide what a scalar is."""
    choice = random.Random(seed)
    return ["".join(choice.choices(_PARTS + _MORE, k=choice.randint(1, 6))) for _ in range(count)]
