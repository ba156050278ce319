"""The rules of the pages: each returns its violations as `page:line: what: how to fix it`."""

import difflib
import functools
import itertools
import re

import yaml
from pymdownx.slugs import slugify

from docs_build import command_checks, job_flags, markdown, regions
from docs_build.code_blocks import Block
from docs_build.tables.table import MOST_WORDS, words
from tests import layout

_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)
_IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<target>[^()\s]+)\)")

# A number with a unit of time, memory or ratio, or a share such as 0.8123. 95% are of an interval.
_UNITS = "µs|ms|s|seconds?|minutes?|hours?|[KMG]i?B|%|times"
MEASURED = re.compile(
    rf"(?<![\w.,$-])(?!95%)(?:\d[\d,.]*(?: to \d[\d,.]*)?[ -]?(?:{_UNITS})(?!\w)"
    r"|[01]?\.\d{3,4}(?![\d.]))"
)
_PROOF = re.compile(r"<!--\s*(?P<kind>shown by|given):\s*(?P<text>.+?)\s*-->", re.DOTALL)
# Where a settled question has its command, and the commit that has its code.
SETTLED = re.compile(r"^## Settled questions$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_EQUATION = re.compile(r"\$\$.+?\$\$|\$[^\s$][^$\n]*\$", re.DOTALL)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_MODULE = re.compile(rf"(?:{'|'.join(command_checks.PACKAGES)})(?:\.\w+)+")
# TF Serving's own.
_NO_MODULES = {"models.config"}
OTHER_FLAGS = {
    # TF Serving.
    *("allow_version_labels_for_unavailable_models", "batching_parameters_file"),
    *("enable_batching", "model_config_file", "model_config_file_poll_wait_seconds"),
    *("monitoring_config_file", "num_load_threads", "enable_per_model_batching_parameters"),
    *("grpc_channel_arguments", "enable_grpc_healthcheck_service", "ssl_config_file"),
    # absl.
    *("help", "helpfull", "only_check_args", "flagfile"),
    # AWS.
    "recursive",
    # uv, any flag, a settled question.
    *("upgrade", "name", "thread_rounds"),
}


def _blank(text, pattern):
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def headings(text):
    """Returns level, title and line of each heading."""
    plain = markdown.without_fences(text)
    return [
        (len(one[1]), one[2], markdown.line_of(text, one.start()))
        for one in _HEADING.finditer(plain)
    ]


def anchor_problems(page, text, root):
    """A link to a heading finds it; MkDocs checks this too, but later."""
    found = []
    folder = (root / page).parent
    plain = markdown.without_code(text)
    for link in re.finditer(r"\]\((?P<path>[\w./-]*\.md)?#(?P<anchor>[^()\s]+)\)", plain):
        cited = folder / link["path"] if link["path"] else None
        there = text if cited is None else cited.read_text("utf-8") if cited.is_file() else ""
        if (there or cited is None) and link["anchor"] not in anchors(there):
            line = markdown.line_of(text, link.start())
            near = ", ".join(difflib.get_close_matches(link["anchor"], anchors(there), n=3))
            found.append(
                f"{page}:{line}: no heading is #{link['anchor']}: perhaps {near or 'none'}"
            )
    return found


@functools.cache
def _slug():
    return slugify(case="lower")


def anchors(text):
    """Returns the anchors of a page, as the site and code hosts make them."""
    return {_slug()(title.replace("`", ""), "-") for _, title, _ in headings(text)}


def heading_problems(page, text):
    """Titles are noun phrases, each once per page, and no level is skipped.

    Every version of a changelog has the same titles, by the format's rule.
    """
    found, seen, above = [], set(), 0
    for level, title, line in headings(text):
        if title.endswith(("?", ".", "!", ":")):
            found.append(f"{page}:{line}: {title!r} ends like a sentence: use a noun phrase")
        if page == "CHANGELOG.md" and level == 2:
            seen = {one for one in seen if one.startswith("[")}
        if title.lower() in seen:
            found.append(
                f"{page}:{line}: {title!r} is there twice: links need one name per heading"
            )
        if level > above + 1:
            found.append(f"{page}:{line}: {title!r} skips a level: it may be {'#' * (above + 1)}")
        if (level == 1) != (above == 0):
            found.append(f"{page}:{line}: {title!r}: a page has one # and begins with it")
        seen.add(title.lower())
        above = level
    return found


def table_problems(page, text):
    """A cell is read at a glance."""
    found = []
    plain = markdown.without_code(text)
    for number, (line, shown) in enumerate(
        zip(plain.splitlines(), text.splitlines(), strict=True), 1
    ):
        if line.lstrip().startswith("|"):
            ends = [0, *(bar.start() for bar in re.finditer(r"(?<!\\)\|", line)), len(line)]
            for start, end in itertools.pairwise(ends):
                if words(shown[start:end]) > MOST_WORDS:
                    cell = shown[start:end].strip("| ")
                    found.append(
                        f"{page}:{number}: a cell of {words(cell)} words, at most {MOST_WORDS}: "
                        f"move what explains below the table: {cell[:60]!r}..."
                    )
    return found


def picture_problems(page, text, folder):
    """A picture exists and says in words what it shows."""
    found = []
    for image in _IMAGE.finditer(markdown.without_code(text)):
        line = markdown.line_of(text, image.start())
        if not (folder / image["target"]).is_file():
            found.append(f"{page}:{line}: there is no picture {image['target']}")
        if len(image["alt"].split()) < 3:
            found.append(f"{page}:{line}: {image['target']}: say in its [text] what is seen")
    return found


def figure_problems(page, text):
    """A measured figure comes from a file or names the command that shows it."""
    plain = markdown.without_fences(text)
    for region in regions.find(page, text)[0]:
        hidden = re.sub(r"[^\n]", " ", plain[region.start : region.end])
        plain = plain[: region.start] + hidden + plain[region.end :]
    bare = _blank(_blank(markdown.without_code(plain), _COMMENT), _EQUATION)
    found = []
    for start, end in _paragraphs(text):
        if _PROOF.search(plain, start, end) or _PROOF.match(plain[end:].lstrip()):
            continue
        for figure in MEASURED.finditer(bare, start, end):
            line = markdown.line_of(text, figure.start())
            found.append(
                f"{page}:{line}: {figure.group()!r} has no source: take it from docs_build/figures "
                "(<!-- = NAME -->), or put <!-- shown by: COMMAND --> or <!-- given: REASON --> "
                "below its paragraph"
            )
    return found


def _paragraphs(text):
    """Yields the offsets of blocks of lines between blank lines."""
    start = 0
    for blank in re.finditer(r"\n[ \t]*(?=\n)|\Z", text):
        yield start, blank.start()
        start = blank.end()


def proofs(page, text):
    """Returns what shows the figures of a page, as blocks to be checked."""
    plain = markdown.without_code(text)
    return [
        Block(
            page,
            markdown.line_of(text, one.start()),
            "sh",
            text[one.start("text") : one.end("text")],
        )
        for one in _PROOF.finditer(plain)
        if one["kind"] == "shown by" and not _is_settled(one["text"])
    ]


def test_problems(block):
    """A test that shows a figure is there."""
    found = []
    for path, name in re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", block.text):
        source = command_checks.REPOSITORY / path
        if name and source.is_file() and f"def {name}(" not in source.read_text(encoding="utf-8"):
            found.append(f"{block.page}:{block.line}: {path} has no {name}")
    return found


def spans(page, text):
    """Returns each code span of a page with its line."""
    plain = markdown.without_fences(text)
    return [(span[2], markdown.line_of(text, span.start())) for span in _SPAN.finditer(plain)]


def name_problems(page, text):
    """A path or a module in a code span exists."""
    found = []
    for span, line in spans(page, text):
        if command_checks.is_missing(span):
            found.append(f"{page}:{line}: there is no {span}")
        if _MODULE.fullmatch(span) and span not in _NO_MODULES | settled() and not _is_name(span):
            found.append(f"{page}:{line}: there is no module or name {span}")
    return found


@functools.cache
def flags_of_all():
    """Returns the flags of every command, of Beam, and those of others that pages name."""
    commands = [
        layout.module_name(layout.relative(path))
        for path in layout.sources("pipeline", "benchmarks", "docs_build")
        if "define_flags" in path.read_text(encoding="utf-8") and path.stem != "flags"
    ]
    of_ours = job_flags.of_jobs(commands).values()
    return frozenset().union(job_flags.of_beam(), OTHER_FLAGS, *of_ours)


def flag_problems(page, text):
    """A flag in a code span is one of some command; those of others are known by their hyphens."""
    return [
        f"{page}:{line}: no command has --{name} (a flag of others: page_rules.OTHER_FLAGS)"
        for span, line in spans(page, text)
        for name in re.findall(r"(?<![\w-])--([a-z]\w*)(?![\w-])", span)
        if not _is_settled(span) and {name, name.removeprefix("no")}.isdisjoint(flags_of_all())
    ]


def span_commands(page, text):
    """Returns the commands in code spans, as blocks to be checked."""
    return [
        Block(page, line, "sh", " ".join(span.split()))
        for span, line in spans(page, text)
        if re.match(r"(?:python -m|make|dmf-\w+) ", span) and not _is_settled(span)
    ]


@functools.cache
def settled():
    """Returns the benchmarks whose code is gone, as the page of benchmarks names them."""
    page = command_checks.REPOSITORY / "docs/benchmarks.md"
    section = SETTLED.search(page.read_text(encoding="utf-8"))
    named = set(re.findall(r"\bbenchmarks\.\w+", section.group())) if section else set()
    return {module for module in named if not command_checks.exists(module)}


def _is_settled(text):
    return any(module in text for module in settled())


def _is_name(dotted):
    """Whether a dotted name is a module, or a name that a module has."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        if command_checks.exists(module):
            path = command_checks.REPOSITORY / module.replace(".", "/")
            source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            rest = parts[length : length + 1]
            text = source.read_text(encoding="utf-8")
            return all(re.search(rf"\b{re.escape(name)}\b", text) for name in rest)
    return False


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whose tags name Python objects."""


_Loader.add_multi_constructor("", lambda loader, suffix, node: None)


def navigation(text):
    """Returns the pages that mkdocs.yml names."""

    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        values = entry.values() if isinstance(entry, dict) else entry
        return [page for value in values for page in pages(value)]

    return pages(yaml.load(text, _Loader)["nav"])


def citation_problems(name, source, root):
    """What the code cites is in the repository."""
    found = []
    for number, line in enumerate(source.splitlines(), 1):
        if re.search(r"\bDESIGN\b", line):
            found.append(f"{name}:{number}: DESIGN is not in the repository: cite docs/design.md")
        for path, anchor in re.findall(r"\b([\w./-]*\w\.md)\b(?:#([\w-]+))?", line):
            cited = root / path
            if not (root / path.partition("/")[0]).is_dir():
                continue  # A name, or a path elsewhere.
            if not cited.is_file():
                found.append(f"{name}:{number}: there is no {path}")
            elif anchor and anchor not in anchors(cited.read_text(encoding="utf-8")):
                found.append(f"{name}:{number}: {path} has no heading #{anchor}")
    return found
