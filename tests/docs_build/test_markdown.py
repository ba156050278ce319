"""Code in a page is found, so that nothing in it is taken for a marker, a link or a figure."""

from docs_build import markdown

PAGE = """\
# Title

```sh
python -m a \\
    --b
```

1. A list:

    ~~~python
    x = "```"
      y = 1
    ~~~

Text with `code`, ``a `tick` b`` and a lone ` tick.

````text
```
````
"""


def test_fences():
    found = markdown.fences(PAGE)
    assert [(one.line, one.info) for one in found] == [(3, "sh"), (10, "python"), (17, "text")]
    assert found[0].text == "python -m a \\\n    --b\n"
    assert found[1].text == 'x = "```"\n  y = 1\n'
    assert found[2].text == "```\n"
    assert PAGE[found[0].start : found[0].end].endswith("--b\n```")


def test_an_unclosed_fence_ends_with_the_page():
    (found,) = markdown.fences("a\n```sh\nb\n# c\n")
    assert found.text == "b\n# c\n"


def test_without_code_keeps_lengths_and_lines():
    plain = markdown.without_code(PAGE)
    assert len(plain) == len(PAGE)
    assert [at for at, c in enumerate(plain) if c == "\n"] == [
        at for at, c in enumerate(PAGE) if c == "\n"
    ]
    assert "python" not in plain
    assert "tick` b" not in plain
    assert "Text with " in plain
    assert "a lone ` tick" in plain


def test_a_code_span_does_not_cross_a_paragraph():
    assert "marker" in markdown.without_code("a ` b\n\nmarker ` c")
