"""Any schema and layout: the right records, or an error that says what does not fit."""

import functools
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from features.errors import UserInputError
from pipeline.join.job import build_examples
from tests.pipeline.join import joins
from tests.pipeline.join.inputs import foreign

# An example takes a second: a failing one is shown as it was drawn, and not made smaller.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def join(folder, output):
    values = {"context": ["price:numeric"], "partitions": 2, "max_bad_fraction": 0.01}
    return build_examples(joins.options(folder, output, **values))


@functools.cache
def expected(has_user_texts, has_item_texts):
    """The shards of the log with integers or texts as ids."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "plain").mkdir()
        table = foreign.reference(has_user_texts, has_item_texts)
        pq.write_table(table, folder / "plain" / "log.parquet")
        join(folder / "plain", folder / "out")
        return joins.shard_hashes(folder / "out")


def check(spec):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        foreign.write(spec, folder / "log", foreign.rows())
        try:
            manifest = join(folder / "log", folder / "found")
        except UserInputError as error:
            assert spec["odd"] is not None, f"{error}"
            assert not (folder / "found").exists()
            text = str(error)
            assert "--events" in text or "--max_bad_fraction" in text, text
            assert any(
                remedy in text for remedy in ("Write", "write", "Fix", "Give --", "--column")
            ), text
        else:
            assert manifest["counts"]["read"] == manifest["counts"]["written"] == foreign.ROWS
            texts = [spec["groups"][name] is foreign.TEXTS for name in ("user_id", "item_id")]
            assert joins.shard_hashes(folder / "found") == expected(*texts)


@settings(max_examples=15, deadline=None, phases=PHASES, suppress_health_check=CHECKS)
@given(foreign.logs())
def test_any_log_is_joined_right_or_refused_by_name(spec):
    check(spec)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, phases=PHASES, suppress_health_check=CHECKS)
@given(foreign.logs())
def test_many_logs_are_joined_right_or_refused_by_name(spec):
    check(spec)
