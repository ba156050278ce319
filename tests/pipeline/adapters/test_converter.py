"""What every converter promises: bytes, limits, reruns, exit codes."""

import json
import random
import shlex
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from features.files import checked, manifest, staging
from pipeline import convert as convert_job
from pipeline.adapters import amazon_reviews, converter, ebnerd, mind, movielens, table, taobao_mm
from tests import quick_python
from tests.pipeline.adapters import (
    converted,
    test_amazon_reviews,
    test_ebnerd,
    test_mind,
    test_movielens,
    test_taobao_mm,
)

ROWS = 131


def write_movielens(folder):
    draw = random.Random(1)
    ratings = "".join(
        f"{draw.randrange(9)},{draw.randrange(1, 5)},{draw.randrange(1, 11) / 2},{n}\n"
        if n % 9
        else "broken\n"
        for n in range(ROWS)
    )
    return test_movielens.write(folder, ratings)


def write_amazon(folder):
    review = test_amazon_reviews.REVIEW
    reviews = [{**review, "parent_asin": "B" * (n % 9)} for n in range(ROWS)]
    product = test_amazon_reviews.PRODUCT
    products = [{**product, "categories": [f"c{n}"] * (n % 4)} for n in range(ROWS)]
    lines = test_amazon_reviews.lines
    return test_amazon_reviews.write(folder, lines(*reviews), lines(*products))


def write_taobao(folder):
    draw = random.Random(2)
    train = [([n % 2, 1 - n % 2] if n % 9 else [1], n, -n) for n in range(ROWS)]
    users = [
        test_taobao_mm.user(n if n % 9 else None, [draw.randrange(50)] * (n % 7))
        for n in range(ROWS)
    ]
    vectors = [(n, test_taobao_mm.vector(n)[: 128 if n % 9 else 7]) for n in range(ROWS)]
    return test_taobao_mm.write(folder, train=train, train_users=users, vectors=vectors)


def write_mind(folder):
    broken = "9\tU1\tno time\t\tN1-1"
    impression = test_mind.impression
    train = [
        impression(n, user=f"U{n % 50}", shown="N1-0 N2-1 N3-0") if n % 9 else broken
        for n in range(ROWS)
    ]
    return test_mind.write(folder, train, news=[test_mind.news(f"N{n}") for n in range(ROWS)])


def write_ebnerd(folder):
    impression, history = test_ebnerd.impression, test_ebnerd.history
    train = [impression(n, n, list(range(n % 7)), [1][: n % 2]) for n in range(ROWS)]
    return test_ebnerd.write(
        folder,
        train,
        histories={"train": [history(n if n % 9 else None, n % 5) for n in range(ROWS)]},
        vectors={"text.parquet": [(n, [1.0] * (3 if n % 9 else 2)) for n in range(1, ROWS)]},
    )


WRITERS = {
    movielens.ADAPTER: write_movielens,
    amazon_reviews.ADAPTER: write_amazon,
    taobao_mm.ADAPTER: write_taobao,
    mind.ADAPTER: write_mind,
    ebnerd.ADAPTER: write_ebnerd,
}


@pytest.mark.parametrize("adapter", WRITERS, ids=lambda adapter: adapter.name)
def test_bytes_do_not_depend_on_the_chunks(tmp_path, monkeypatch, adapter):
    # Small row groups and parts, so that there are several of each.
    real = table.Table
    monkeypatch.setattr(table, "_GROUPS_PER_PART", 3)
    monkeypatch.setattr(
        converter, "Table", lambda *args: real(*args[:4], min(args[4], 30), *args[5:])
    )
    source = WRITERS[adapter](tmp_path / "in")
    expected = None
    for chunk_rows in (1, 7, 30, 64, 10_000):
        out = tmp_path / f"out-{chunk_rows}"
        done = converter.run(adapter, str(source), str(out), 1.0, chunk_rows)
        bad = {path.name: path.read_bytes() for path in (out / "quarantine").iterdir()}
        assert sum(len(text.splitlines()) for text in bad.values()) > 10
        assert "events/part-00001.parquet" in done["files"]
        found = (done["files"], done["counts"], bad)
        expected = expected or found
        assert found == expected, chunk_rows
    footer = pq.read_metadata(tmp_path / "out-7" / "events" / "part-00000.parquet")
    assert [footer.row_group(n).num_rows for n in range(3)] == [30, 30, 30]


def test_pages_do_not_depend_on_the_chunks(tmp_path):
    # A row group of several pages, which the small ones above are not.
    values = np.random.default_rng(0).integers(-(2**62), 2**62, 1 << 17)
    texts = pa.array(values).cast(pa.string())
    batch = pa.record_batch({"item_id": values, "title": texts})
    found = set()
    for rows in (1 << 17, 777):
        folder = str(tmp_path / str(rows))
        bad = f"{folder}-quarantine"
        one = table.Table("items", folder, bad, batch.schema, 1 << 17, 1, str(tmp_path))
        for start in range(0, len(values), rows):
            part = batch.slice(start, rows)
            good = np.full(len(part), "", object)
            one.take_batch(part, ("x", start), good, lambda kept: kept.columns)
        one.close(0.0)
        found.add((one.read, one.written, *map(checked.sha256, one.paths)))
    assert len(found) == 1


def test_too_many_bad_rows_stop_it(tmp_path):
    source = test_movielens.write(tmp_path / "in", "1,2,4.5,8\nbroken\n1,2,9,8\n1,3,4.5,9\n")
    message = (
        r"2 of 4 rows for events cannot be used, more than --max_bad_fraction 0\.49 allows\. "
        r"First: ratings\.csv, line 3: has 1 fields, expected 4\..*rejected/quarantine'"
    )
    with pytest.raises(UserInputError, match=message):
        converter.run(movielens.ADAPTER, str(source), str(tmp_path / "out"), 0.49)
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.building").exists()
    kept = (tmp_path / "out.rejected" / "quarantine" / "events.jsonl").read_text()
    assert [json.loads(line)["line"] for line in kept.splitlines()] == [3, 4]
    converted.convert(movielens, source, tmp_path / "out", max_bad_fraction=0.5)
    assert not (tmp_path / "out.rejected").exists()


def test_no_usable_event_is_an_error(tmp_path):
    source = test_movielens.write(tmp_path / "in", "")
    with pytest.raises(UserInputError, match="holds no event that can be used; 0 rows"):
        converted.convert(movielens, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rerun_is_a_no_op_and_other_input_is_refused(tmp_path):
    source = test_movielens.write(tmp_path / "in", "1,2,4.5,8\n")
    out = str(tmp_path / "out")
    first = converter.run(movielens.ADAPTER, str(source), out)
    part = tmp_path / "out" / "events" / "part-00000.parquet"
    before = part.stat().st_mtime_ns
    assert converter.run(movielens.ADAPTER, str(source), out) == first
    assert part.stat().st_mtime_ns == before
    (source / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,2,4.5,9\n")
    with pytest.raises(UserInputError, match="holds a data set made otherwise: inputs was"):
        converter.run(movielens.ADAPTER, str(source), out)


@pytest.mark.guarantee("killed", "convert")
def test_what_a_killed_converter_left_is_replaced(tmp_path):
    source = test_movielens.write(tmp_path / "in", "1,2,4.5,8\n")
    left = tmp_path / "out.building" / "events"
    staging.begin(str(left.parent))
    left.mkdir()
    (left / "part-00000.parquet").write_text("half")
    (left / "part-00001.parquet").write_text("half")
    converted.convert(movielens, source, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "events",
        "items",
        "manifest.json",
    ]
    assert len(list((tmp_path / "out" / "events").iterdir())) == 1


@pytest.mark.parametrize(
    ("source", "output", "fraction", "message"),
    [
        ("absent", "out", 0.01, r"--input: .*absent' is not a folder"),
        (".", "s3://bucket/out", 0.01, r"--output: 's3://bucket/out' is not on a local disk"),
        (".", "out", 1.5, "--max_bad_fraction must be from 0 to 1, not 1.5"),
    ],
)
def test_options_that_cannot_be(tmp_path, source, output, fraction, message):
    output = output if "://" in output else str(tmp_path / output)
    with pytest.raises(UserInputError, match=message):
        converter.run(movielens.ADAPTER, str(tmp_path / source), output, fraction)


def test_a_quoted_path_survives_in_the_command(tmp_path):
    source = test_movielens.write(tmp_path / "in", "1,2,4.5,8\n")
    done = converter.run(movielens.ADAPTER, str(source), str(tmp_path / "it's $HOME"))
    options = converted.options_of(done["join_command"])
    assert options.events == (str(tmp_path / "it's $HOME" / "events"),)
    assert options.output == str(tmp_path / "it's $HOME-examples")


@pytest.mark.parametrize(
    "command",
    ["touch x", "python -m pipeline.build_examples; touch x", "a 'b", None, 3, [], "a\nb", "", "#"],
)
def test_another_command_in_a_manifest_is_not_printed(tmp_path, command):
    source = test_movielens.write(tmp_path / "in", "1,2,4.5,8\n")
    output = str(tmp_path / "out")
    converter.run(movielens.ADAPTER, str(source), output)
    values = {**manifest.read_manifest(output), "join_command": command}
    manifest.write_manifest(output, values)
    with pytest.raises(UserInputError, match=r"holds the command .*expected python -m"):
        converter.run(movielens.ADAPTER, str(source), output)


def test_every_adapter_has_its_name():
    assert {name: one.name for name, one in convert_job.ADAPTERS.items()} == {
        name: name
        for name in ("movielens", "microlens", "amazon_reviews", "taobao_mm", "mind", "ebnerd")
    }


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_exit_code_when_the_input_is_at_fault(tmp_path):
    (tmp_path / "in").mkdir()
    arguments = ["--dataset=movielens", f"--input={tmp_path}/in", f"--output={tmp_path}/out"]
    done = quick_python.run_job("pipeline.convert", *arguments)
    assert done.returncode == 2
    assert "has no ratings.csv or ratings.dat. It holds nothing." in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""


def test_notes_are_not_part_of_the_command(tmp_path):
    source = test_mind.write(tmp_path / "in", [test_mind.impression(1)])
    arguments = ["--dataset=mind", f"--input={source}", f"--output={tmp_path}/out"]
    for _ in range(2):
        done = quick_python.run_job("pipeline.convert", *arguments)
        assert done.returncode == 0, done.stderr
        (command,) = done.stdout.splitlines()
        assert command.startswith("python -m pipeline.build_examples --events=")
        assert "no zone: they are taken as UTC" in done.stderr
        assert "Make an embedding set of the titles" in done.stderr


@pytest.mark.slow
def test_command_line(tmp_path):
    ratings = "".join(f"{n % 4},{1 + n % 3},{1 + n % 5},{100 + n}\n" for n in range(40))
    source = test_movielens.write(tmp_path / "in", ratings)
    arguments = [f"--input={source}", f"--output={tmp_path}/out"]
    done = run(sys.executable, "-m", "pipeline.convert", "--dataset=movielens", *arguments)
    assert done.returncode == 0, done.stderr
    (command,) = done.stdout.splitlines()
    joined = run(sys.executable, *shlex.split(command)[1:])
    assert joined.returncode == 0, joined.stderr
    assert (tmp_path / "out-examples" / "manifest.json").exists()
    done = run(sys.executable, "-m", "pipeline.convert", "--dataset=nothing", *arguments)
    assert done.returncode == 2 and "taobao_mm" in done.stderr
