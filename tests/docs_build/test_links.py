"""Links of the repository's pages as the site needs them."""

import pytest

from docs_build import links


@pytest.fixture
def root(tmp_path):
    for name in (
        "README.md",
        "BUILD.md",
        "docs/join.md",
        "docs/api/models.md",
        "docker/a/README.md",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# Title\n", encoding="utf-8")
    (tmp_path / "docs/pictures").mkdir()
    (tmp_path / "docs/pictures/flow.svg").write_text("<svg/>", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("index.md", "[join](docs/join.md#parts)", "[join](join.md#parts)"),
        ("index.md", "![flow](docs/pictures/flow.svg)", "![flow](pictures/flow.svg)"),
        ("index.md", "[BUILD.md](BUILD.md)", "[BUILD.md](build.md)"),
        ("join.md", "[it](../BUILD.md#images)", "[it](build.md#images)"),
        ("join.md", "[start](../README.md)", "[start](index.md)"),
        ("join.md", "[models](api/models.md)", "[models](api/models.md)"),
        ("api/models.md", "[join](../join.md#x)", "[join](../join.md#x)"),
        ("api/models.md", "[start](../../README.md)", "[start](../index.md)"),
        # What the site does not hold.
        ("join.md", "[images](../docker/a/README.md)", "images (`docker/a/README.md`)"),
        ("join.md", "[`docker/a/README.md`](../docker/a/README.md)", "`docker/a/README.md`"),
        ("index.md", "[docker/a](docker/a)", "`docker/a`"),
        # What is no link of the repository.
        ("join.md", "[paper](https://arxiv.org/abs/2510.11066)", None),
        ("join.md", "[above](#parts)", None),
        ("join.md", "`[x](absent.md)`", None),
        ("join.md", "```text\n[x](absent.md)\n```", None),
        # A picture that is a link, two links of one line.
        (
            "index.md",
            "[![a](docs/pictures/flow.svg)](docs/join.md)",
            "[![a](pictures/flow.svg)](join.md)",
        ),
        ("index.md", "[a](docs/join.md), [b](BUILD.md)", "[a](join.md), [b](build.md)"),
    ],
)
def test_a_link(root, page, text, expected):
    assert links.rewrite(page, text, root) == (expected or text, [])


def test_links_to_nothing_are_named(root):
    text = "[a](docs/absent.md)\n\n[b](pipeline/absent.py)"
    assert links.rewrite("index.md", text, root)[1] == [
        "README.md:1: docs/absent.md is not in the repository",
        "README.md:3: pipeline/absent.py is not in the repository",
    ]
