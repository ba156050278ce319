"""Names of the data are text in the report: no element or attribute is made of them."""

import copy
import html
import re

import pytest

from tests.pipeline.report import report_page
from tests.pipeline.report.report_page import Page
from tests.pipeline.report.test_page import leaves

HTML = (
    "\"><script>a()</script><img src=x onerror='b()'></title></style></svg></pre>"
    "<!--&lt;script&gt;{{ 7 * 7 }}{% raw %}]]>"
)
TEXTS = (HTML, "javascript:a()", "</script", "<", "&", "' onload=a() '", "{{ title }}", "\\u003cb>")
COLORS = ("s1", "s2", "s3", "s4", "dashed", "tone-", "tone-good", "tone-bad", "good", "bad")
HIDDEN = "\0\x1b[2J\r\x9b\u202e\udc80"


def places(data: dict) -> list[tuple]:
    """Paths of all names and texts, of lists and models the first."""
    found = []
    for path in leaves(data):
        owner = data
        for key in path[:-1]:
            owner = owner[key]
        named = isinstance(owner, dict) or isinstance(owner[path[-1]], str)
        if named and "id_only" not in path[:-1] and not {1, 2} & set(path):
            found.append(path)
    return found


def with_text(data: dict, path: tuple, text: str) -> dict:
    """A copy with a text in place of a text, or a name that begins with it."""
    changed = copy.deepcopy(data)
    owner = changed
    for key in path[:-1]:
        owner = owner[key]
    if isinstance(owner[path[-1]], str):
        owner[path[-1]] = text
    else:
        items = [(f"{text}{key}" if key == path[-1] else key, one) for key, one in owner.items()]
        owner.clear()
        owner.update(items)
    return changed


def everywhere(value, text: str):
    """A copy in which every text is another one; names stay, so that every section is drawn."""
    if isinstance(value, dict):
        return {key: everywhere(one, text) for key, one in value.items()}
    if isinstance(value, list):
        return [everywhere(one, text) for one in value]
    return text if isinstance(value, str) else value


def parts(page: Page) -> set[tuple[str, str, str]]:
    """Element, attribute and, where the template has few of them, its value."""
    found = set()
    for tag, attributes in page.tags:
        found.add((tag, "", ""))
        for name, value in attributes.items():
            fixed = name in ("class", "id", "href", "role", "lang", "charset", "content", "rel")
            found |= {(tag, name, one) for one in (str(value).split() if fixed else [""])}
    return found


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> set[tuple[str, str, str]]:
    """What the template and the drawings make of harmless names."""
    data, folder = report_page.run_values(), tmp_path_factory.mktemp("known")
    drawn = set()
    for values in (data, everywhere(data, "harmless")):
        drawn |= parts(report_page.rendered(values, folder))
    # Whichever series has them.
    return drawn | {(tag, name, one) for tag, name, _ in drawn for one in COLORS if name == "class"}


def test_no_name_makes_an_element_or_an_attribute(data, known, tmp_path):
    folder = tmp_path / "hostile"
    folder.mkdir()
    shown = 0
    for path in places(data):
        changed = with_text(data, path, HTML)
        sections = report_page.readers(path[0])
        page = report_page.rendered(changed, folder, sections)
        assert parts(page) <= known, path
        assert page.open == [], path
        shown += "<script>" in page.text
    assert shown > 20, "the names are on the page, as text"


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_at_once_stays_text(data, known, tmp_path, text):
    folder = tmp_path / "hostile"
    folder.mkdir()
    page = report_page.rendered(everywhere(data, text), folder)
    assert parts(page) <= known and page.open == []
    assert " ".join(text.split()) in page.text
    source = (folder / "report.html").read_text(encoding="utf-8")
    assert html.escape(text, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in (
        source
    )


def test_hidden_characters_are_shown(data, known, tmp_path):
    folder = tmp_path / "hostile"
    folder.mkdir()
    page = report_page.rendered(everywhere(data, HIDDEN), folder)
    assert parts(page) <= known
    source = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202e]", source)
    assert r"\x00\x1b[2J\r\x9b\u202e\udc80" in page.text
