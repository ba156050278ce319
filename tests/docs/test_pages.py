"""The pages keep the rules of `page_rules`, and each rule sees a planted violation."""

import pytest

from docs_build import command_checks, links, regions, registry
from docs_build.pages import pages
from tests import layout
from tests.conftest import REPOSITORY
from tests.docs import page_rules

PAGES = pages()
# Of pages that a reader gets through in two minutes.
LIMITS = {"README.md": 8192, "BUILD.md": 8192}
PICTURES = sorted((REPOSITORY / "docs/pictures").glob("*.svg"))
SOURCES = layout.sources(*layout.PACKAGES, "tests", "docker")


def name_of(path):
    return path.relative_to(REPOSITORY).as_posix()


def place_of(path):
    name = name_of(path)
    return links.TOP_PAGES.get(name, name.removeprefix("docs/"))


def read(path):
    return path.read_text(encoding="utf-8")


def hold(problems):
    assert not problems, "\n".join(problems)


ON_A_PAGE = pytest.mark.parametrize("path", PAGES, ids=name_of)


@ON_A_PAGE
def test_headings(path):
    hold(page_rules.heading_problems(name_of(path), read(path)))


@ON_A_PAGE
def test_cells(path):
    hold(page_rules.table_problems(name_of(path), read(path)))


@ON_A_PAGE
def test_pictures(path):
    hold(page_rules.picture_problems(name_of(path), read(path), path.parent))


@ON_A_PAGE
def test_figures(path):
    hold(page_rules.figure_problems(name_of(path), read(path)))


@ON_A_PAGE
def test_names(path):
    hold(page_rules.name_problems(name_of(path), read(path)))


@ON_A_PAGE
def test_flags(path):
    hold(page_rules.flag_problems(name_of(path), read(path)))


@ON_A_PAGE
def test_markers(path):
    hold(regions.find(name_of(path), read(path))[1])


@ON_A_PAGE
def test_links(path):
    hold(links.rewrite(place_of(path), read(path), REPOSITORY)[1])
    if path.parent.name != "api":  # Its headings are the code's names.
        hold(page_rules.anchor_problems(name_of(path), read(path), REPOSITORY))


def test_what_shows_a_figure_exists():
    blocks = [
        block
        for path in PAGES
        for find in (page_rules.proofs, page_rules.span_commands)
        for block in find(name_of(path), read(path))
    ]
    problems = [problem for block in blocks for problem in page_rules.test_problems(block)]
    hold([*problems, *command_checks.problems(blocks)])


@pytest.mark.parametrize("name", LIMITS)
def test_a_page_is_short(name):
    size = (REPOSITORY / name).stat().st_size
    assert size <= LIMITS[name], f"{name} has {size} bytes, at most {LIMITS[name]}: docs/ has room"


def test_every_page_is_in_the_navigation_once():
    named = page_rules.navigation(read(REPOSITORY / "mkdocs.yml"))
    assert sorted(named) == sorted(map(place_of, PAGES))


@pytest.mark.parametrize("path", PICTURES, ids=name_of)
def test_picture_is_shown(path):
    assert any(f"pictures/{path.name})" in read(page) for page in PAGES), "no page shows it"


@pytest.mark.parametrize("path", SOURCES, ids=layout.relative)
def test_what_the_code_cites_exists(path):
    if path.parts[-2] in ("docs", "docs_build") and "tests" in path.parts:
        return  # Planted there.
    hold(page_rules.citation_problems(name_of(path), read(path), REPOSITORY))


@pytest.mark.parametrize(
    ("rule", "text", "problem"),
    [
        ("heading", "# A\n\n## How fast?\n", "p.md:3: 'How fast?' ends like a sentence"),
        ("heading", "# A\n\n## It works.\n", "p.md:3: 'It works.' ends like a sentence"),
        ("heading", "# A\n\n## B\n\n## C\n\n## b\n", "p.md:7: 'b' is there twice"),
        ("heading", "# A\n\n### B\n", "p.md:3: 'B' skips a level: it may be ##"),
        ("heading", "# A\n\n# B\n", "p.md:3: 'B': a page has one #"),
        ("heading", "### A\n", "p.md:1: 'A' skips a level"),
        ("table", f"| a |\n|---|\n| {'word ' * 21}|\n", "p.md:3: a cell of 21 words, at most 20"),
        ("table", f"| a | b |\n|---|---|\n| `x|y` {'w ' * 20}| 1 |\n", "a cell of 21 words"),
        ("figure", "It takes 5.9 s.\n", "p.md:1: '5.9 s' has no source"),
        ("figure", "a\n\n- x\n- 450 MiB of it\n", "p.md:4: '450 MiB' has no source"),
        ("figure", "It is 54 times as fast.\n", "'54 times' has no source"),
        ("figure", "1.8 to 2.3 times as fast\n", "'1.8 to 2.3 times' has no source"),
        ("figure", "AUC .8123\n", "'.8123' has no source"),
        ("figure", "AUC 0.640, say\n", "'0.640' has no source"),
        ("figure", "GAUC +2.88%\n", "'2.88%' has no source"),
        ("figure", "| a |\n|---|\n| 12 ms |\n", "p.md:3: '12 ms' has no source"),
        ("figure", "It takes 5 s.\n\nText.\n\n<!-- given: x -->\n", "'5 s' has no source"),
        ("name", "See `pipeline/absent.py`.\n", "p.md:1: there is no pipeline/absent.py"),
        ("flag", "Give\n`--evnts log`.\n", "p.md:2: no command has --evnts"),
        ("name", "`models.absent`\n", "there is no module or name models.absent"),
        ("name", "`models.factory.absent_name`\n", "no module or name models.factory.absent_name"),
    ],
)
def test_a_planted_violation(rule, text, problem):
    found, *more = getattr(page_rules, f"{rule}_problems")("p.md", text)
    assert problem in found
    assert len(more) == text.startswith("###")


@pytest.mark.parametrize(
    "text",
    [
        "It takes 5.9 s.\n<!-- shown by: python -m benchmarks.join -->\n",
        "It takes 5.9 s.\n\n<!-- shown by: python -m benchmarks.join\n     --events 5 -->\n",
        "| a |\n|---|\n| 12 ms |\n\n<!-- given: a limit of TF Serving -->\n",
        "It is <!-- = join.rowwise_ratio -->54<!-- / --> times as fast.\n",
        "<!-- table: join.ways -->\n\n| a |\n|---|\n| 5 s |\n\n<!-- /table -->\n",
        "`--timeout=5 s` and $0.125 x$\n",
        "```text\n5.9 s, 54 times, 450 MiB\n```\n",
        "Python 3.11, version 2.16.2, 5 requests, 2026-05-02, a 95% interval\n",
        "[2510.11066](https://arxiv.org/abs/2510.11066)\n",
    ],
)
def test_a_figure_with_a_source(text):
    assert page_rules.figure_problems("p.md", text) == []


def test_versions_of_a_changelog_have_the_same_titles():
    text = "# Changes\n\n## [2]\n\n### Added\n\n## [1]\n\n### Added\n"
    assert page_rules.heading_problems("CHANGELOG.md", text) == []
    assert len(page_rules.heading_problems("p.md", text)) == 1
    for twice in (text.replace("[1]", "[2]"), f"{text}\n### Added\n"):
        (problem,) = page_rules.heading_problems("CHANGELOG.md", twice)
        assert "is there twice" in problem


def test_planted_pictures(tmp_path):
    (tmp_path / "a.svg").touch()
    text = "![a long enough text](a.svg)\n\n![a long enough text](b.svg)\n\n![short](a.svg)\n"
    assert page_rules.picture_problems("p.md", text, tmp_path) == [
        "p.md:3: there is no picture b.svg",
        "p.md:5: a.svg: say in its [text] what is seen",
    ]


def test_planted_anchors(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/b.md").write_text("# B\n\n## Hot keys\n", encoding="utf-8")
    text = "# A\n\n[a](#a) [b](docs/b.md#hot-keys) [c](docs/b.md#hot-key)\n\n[d](#absent)\n"
    assert page_rules.anchor_problems("a.md", text, tmp_path) == [
        "a.md:3: no heading is #hot-key: perhaps hot-keys",
        "a.md:5: no heading is #absent: perhaps none",
    ]


def test_planted_proofs():
    text = "5 s\n<!-- shown by: python -m benchmarks.join --evnts 3 -->\n\nRun `make tests`.\n"
    blocks = [*page_rules.proofs("p.md", text), *page_rules.span_commands("p.md", text)]
    assert command_checks.problems(blocks) == [
        "p.md:4: there is no `make tests`",
        "p.md:2: benchmarks.join has no flag --evnts",
    ]
    (block,) = page_rules.proofs("p.md", "5 s <!-- shown by: tests/test_words.py::test_x -->")
    assert page_rules.test_problems(block) == ["p.md:1: tests/test_words.py has no test_x"]


def test_the_command_of_a_settled_question_need_not_exist():
    module = min(page_rules.settled())
    text = f"5 ms <!-- shown by: python -m {module} -->, `{module}`"
    assert page_rules.proofs("p.md", text) == []
    assert page_rules.name_problems("p.md", text) == []


def test_navigation_is_read():
    text = "nav:\n - a.md\n - B:\n    - C: d.md\nx: !!python/name:y\n"
    assert page_rules.navigation(text) == ["a.md", "d.md"]


def test_planted_citations(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/design.md").write_text("# Design\n\n## The `tags`, twice\n", encoding="utf-8")
    source = (
        '"""See DESIGN section 4."""\n# docs/absent.md\n# docs/design.md#tags\n'
        "# docs/design.md#the-tags-twice and docs/design.md.\n"
    )
    assert page_rules.citation_problems("a.py", source, tmp_path) == [
        "a.py:1: DESIGN is not in the repository: cite docs/design.md",
        "a.py:2: there is no docs/absent.md",
        "a.py:3: docs/design.md has no heading #tags",
    ]


def test_every_region_has_a_source():
    names = {
        (region.name, region.is_table)
        for path in PAGES
        for region in regions.find(name_of(path), read(path))[0]
    }
    known = {True: registry.TABLES, False: registry.FIGURES}
    assert sorted(name for name, is_table in names if name not in known[is_table]) == []
