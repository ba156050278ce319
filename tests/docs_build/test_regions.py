"""Marked regions are filled from their sources, and every faulty marker is named with its line."""

import pytest

from docs_build import regions, registry

KNOWN = {("a.b", False): "54", ("t", True): "| x |\n|---|\n| 1 |\n"}


def render(name, is_table):
    try:
        return KNOWN[name, is_table]
    except KeyError:
        raise LookupError(f"there is no {name}") from None


PAGE = """\
It is <!-- = a.b -->?<!-- / --> times as fast, or <!-- = a.b -->54<!-- / -->.

<!-- table: t -->
old
<!-- /table -->

Write `<!-- = a.b -->` for it:

```text
<!-- table: t -->
```
"""


def test_regions_are_filled_and_code_is_left_alone():
    filled, problems = regions.fill("p.md", PAGE, render)
    assert problems == []
    assert filled.startswith("It is <!-- = a.b -->54<!-- / --> times")
    assert "<!-- table: t -->\n\n| x |\n|---|\n| 1 |\n\n<!-- /table -->" in filled
    assert filled.endswith(PAGE[PAGE.index("\n\nWrite") :])
    assert regions.fill("p.md", filled, render) == (filled, [])


def test_differences_name_file_line_and_name():
    filled, _ = regions.fill("p.md", PAGE, render)
    first, second = regions.differences("p.md", PAGE, filled)
    assert first.startswith("p.md:1: a.b: the page has '?', its source says '54'")
    assert second.startswith("p.md:3: t: the page has 'old'")
    assert regions.differences("p.md", filled, filled) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a\n<!-- = a.c -->1<!-- / -->", "p.md:2: there is no a.c"),
        ("<!-- table: a.b -->\n<!-- /table -->", "p.md:1: there is no a.b"),
        ("a\n\n<!-- = a.b -->1", "p.md:3: <!-- = a.b --> is never closed"),
        ("<!-- = a.b -->1\n<!-- / -->", "p.md:1: <!-- = a.b --> must be closed in its line"),
        ("<!-- table: t -->\n<!-- = a.b -->1<!-- / -->", "p.md:2: <!-- = a.b --> within"),
        ("<!-- table: t -->\n<!-- / -->", "p.md:2: <!-- / --> does not close <!-- table: t -->"),
        ("<!-- = a.b -->1<!-- /table -->", "p.md:1: <!-- /table --> does not close"),
        ("x <!-- / -->", "p.md:1: <!-- / --> closes nothing"),
        ("<!-- = -->1<!-- / -->", "p.md:1: is none of"),
        ("<!-- = a b -->1<!-- / -->", "p.md:1: is none of"),
        ("<!-- table t -->", "p.md:1: is none of"),
    ],
)
def test_faulty_marker(text, problem):
    _, problems = regions.fill("p.md", text, render)
    assert problems[0].startswith(problem)


def test_other_comments_are_no_markers():
    text = "<!-- shown by: python -m a --b -->\n<!-- check only: long -->\n"
    assert regions.fill("p.md", text, render) == (text, [])


@pytest.mark.parametrize(("name", "is_table"), [("join.rowwise_ration", False), ("join.way", True)])
def test_an_unknown_name_is_answered_with_the_nearest(name, is_table):
    with pytest.raises(LookupError, match=f"did you mean {name[:-1].removesuffix('o')[:8]}"):
        registry.render(name, is_table)
