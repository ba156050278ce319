"""Private idioms stay out: the field has a word for each (CONTRIBUTING, "Rules")."""

import re

import pytest

from tests import layout
from tests.conftest import REPOSITORY

_RATES = (
    "array block bucket byte column command entry event file folder item label line message number "
    "one point process record row shard step table tag thread value vector"
)
_UNITS = (
    "batch behavior bucket cache call candidate column core day epoch event feature file group "
    "head id impression item job label line metric minute modality model pair part partition "
    "pass process record replica request row second shard split step table tag unit user vector "
    "version worker"
)

# Pattern -> what to write instead.
BANNED = {
    rf"\b(?:once|(?:{'|'.join(_RATES.split())}|entries|processes|candidates?|behaviors?)s?) an? "
    rf"(?:{'|'.join(_UNITS.split())})\b(?! (?:of|that|which|is|has|was))": '"per" for a rate',
    r"_AN?_(?:BATCH|BUCKET|ID|ITEM|PART|PARTITION|RECORD|REQUEST|ROW|VECTOR)\b": "_PER_",
    r"\brows_an_id\b(?!\")": "rows_per_id",
    r"\b_told\(": "_exit_on_user_error",
    r"\b_would\(": "_dry_run_prefix",
    r"\b_whole\(": "_intact_version",
    r"\bagreed\(": "any_worker",
    r"\b_give_out\b": "_schedule",
    r"\bof_batch\b": "truncate_history",
    r"\bcode_terms\b": "similarity_code_ops",
    r"\bhead_products\b": "multi_head_ops",
    r"\bmail\b(?!-)": "requests, blocks",
    r"\bAnswerQuestions\b": "ComputeItemStatistics",
    r"\bstrangers?\b(?! (?:finds|must|test))": "unknown",
    r"\barrives_late\b": "has_availability_times",
    r"\b_can_do_without\b": "_should_fall_back",
    r"\b_GONE\b": "_UNLOADED_CODES",
    r"\b(?i:mend(?:s|ed)?)\b": "fix, correct",
    r"what is told of": "statistics of",
    r"for the one who\b": "for the writer, the reader, ...",
    r"whatever became of": "plain words",
    r"who would have one fewer": "short shares are filled with a fully masked request",
    r"a training that was stopped goes on from": "checkpointed training state",
    r"nothing is left to wait for": "steps are synchronous",
    r"without what a killed job left": "yields an empty staging directory",
}


def texts():
    paths = layout.sources(*layout.PACKAGES, "tests", "docker", "examples")
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "docker/**/*.md",
        "benchmarks/**/*.md",
        "examples/*.md",
        "pipeline/**/*.j2",
        "Makefile",
    ):
        paths += sorted(REPOSITORY.glob(pattern))
    names = map(layout.relative, [*paths, *sorted(REPOSITORY.glob("requirements/*.sh"))])
    return [name for name in names if name != "tests/test_words.py"]


def idioms(text):
    # No pattern spans lines, so each searches the whole text at once.
    return [
        f"{text.count(chr(10), 0, match.start()) + 1}: {match.group(0)!r}: {better}"
        for pattern, better in BANNED.items()
        for match in re.finditer(pattern, text)
    ]


@pytest.mark.parametrize("name", texts())
def test_no_private_idiom(name):
    assert idioms((REPOSITORY / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "bytes a vector",
        "one row a metric, one column a model",
        "A row a metric",
        "once a pass",
        "_EVENTS_A_PARTITION = 25_000",
        "Mend them, or allow more.",
        "strangers = 3",
    ],
)
def test_planted_idiom_is_found(text):
    assert idioms(text) != []


@pytest.mark.parametrize(
    "text", ["holds a vector", "bytes per vector", "is a row", "recommended", "one per request"]
)
def test_plain_words_pass(text):
    assert idioms(text) == []
