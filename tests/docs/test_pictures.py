"""Pictures are self-contained, described, and readable in light and dark."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from tests.conftest import REPOSITORY

PICTURES = sorted((REPOSITORY / "docs" / "pictures").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
WIDTH = 900
SMALLEST_TEXT = 13


@pytest.fixture(params=PICTURES, ids=lambda path: path.stem)
def picture(request):
    return request.param


def test_there_are_pictures():
    assert len(PICTURES) == 6


def test_it_has_a_size_a_title_and_a_description(picture):
    root = ElementTree.parse(picture).getroot()
    assert root.get("viewBox") == f"0 0 {WIDTH} {root.get('height')}"
    names = [root.find(f"{SVG}{name}") for name in ("title", "desc")]
    assert all(one is not None and len(one.text) > 10 for one in names)
    assert root.get("aria-labelledby").split() == [one.get("id") for one in names]


def test_it_has_a_dark_style_and_nothing_from_elsewhere(picture):
    text = picture.read_text(encoding="utf-8")
    assert "@media (prefers-color-scheme: dark)" in text
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<script|<image|@import|@font-face", text)


def test_every_class_has_a_style(picture):
    text = picture.read_text(encoding="utf-8")
    used = {name for names in re.findall(r'class="([^"]*)"', text) for name in names.split()}
    assert used <= set(re.findall(r"\.([a-z-]+) \{", text))


def test_text_is_large_enough(picture):
    text = picture.read_text(encoding="utf-8")
    styled = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", text)]
    # A subscript is smaller, and is moved down.
    own = re.findall(r'<(?:text|tspan)(?![^>]*dy=)[^>]*font-size="([\d.]+)"', text)
    assert min([*styled, *map(float, own)]) >= SMALLEST_TEXT


def test_nothing_lies_outside(picture):
    root = ElementTree.parse(picture).getroot()
    height = float(root.get("height"))
    for element in root.iter(f"{SVG}text"):
        assert 0 < float(element.get("x")) < WIDTH
        assert 0 < float(element.get("y")) < height


def test_pages_say_what_is_seen():
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
    shown = [
        (page.name, *embedded)
        for page in pages
        for embedded in re.findall(
            r"!\[([^\]]*)\]\((?:docs/)?pictures/([^)]*)\)", page.read_text(encoding="utf-8")
        )
    ]
    assert shown
    assert {name for _, _, name in shown} <= {path.name for path in PICTURES}
    assert [one for one in shown if len(one[1]) < 20] == []
