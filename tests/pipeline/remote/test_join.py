"""The join on an S3 server: the bytes of the local one, and what becomes of what is in its way."""

import json
import signal
import subprocess
import sys

import pytest

from features.errors import UserInputError
from features.files import staging
from models.inputs.example_set import ExampleSet
from pipeline.join.job import build_examples
from pipeline.publishing import output_objects
from tests.pipeline.join import logs
from tests.pipeline.remote.source import options


def below(folder):
    """Returns the content of a local folder's files by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def published(s3, bucket, name):
    """Returns the content of a data set's objects by name."""
    found = s3.objects(bucket, f"{name}/")
    return {key.removeprefix(f"{name}/"): data for key, data in found.items()}


def test_the_join_on_s3_gives_the_bytes_of_the_local_one(s3, local, bucket, joined):
    expected = below(local / "examples")
    assert len([name for name in expected if name.endswith(".tfrecord")]) > 3
    assert published(s3, bucket, "examples") == expected


def test_nothing_but_the_data_set_stays(s3, bucket, joined):
    assert {key.split("/")[0] for key in s3.objects(bucket)} == {"source", "examples"}


def test_local_inputs_and_a_remote_output_mix(s3, local):
    bucket = s3.bucket()
    build_examples(options(local / "source", f"s3://{bucket}/deep/er/examples/"))
    assert published(s3, bucket, "deep/er/examples") == below(local / "examples")


def test_the_shuffle_gives_the_same_shards(s3, local, bucket, joined):
    build_examples(
        options(f"s3://{bucket}/source", f"s3://{bucket}/shuffled", embedding_strategy="shuffle")
    )
    expected = below(local / "examples")
    found = published(s3, bucket, "shuffled")
    shards = [name for name in expected if name.endswith(".tfrecord")]
    assert {name: found[name] for name in shards} == {name: expected[name] for name in shards}
    assert set(found) == set(expected)


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow_io")
def test_a_data_set_grows_by_parts(s3, local, bucket, tmp_path):
    rows = sorted(logs.random_rows(3, events=300, users=9), key=lambda row: row["timestamp"])
    middle = rows[150]["timestamp"]
    days = {
        "1": [row for row in rows if row["timestamp"] < middle],
        "2": [row for row in rows if row["timestamp"] >= middle],
    }
    source = f"s3://{bucket}/source"
    for day, own in days.items():
        logs.write_log(tmp_path / "log" / day, own)
        remote = s3.upload(bucket, tmp_path / "log" / day, f"log-{day}")
        for inputs, log, output in (
            (local / "source", tmp_path / "log" / day, tmp_path / "out"),
            (source, remote, f"s3://{bucket}/parts"),
        ):
            build_examples(options(inputs, output, events=str(log), part=day, splits="train:.."))
    assert published(s3, bucket, "parts") == below(tmp_path / "out")
    shards = ExampleSet.open(f"s3://{bucket}/parts").shards("train")
    assert {shard.rpartition("/")[0][-1] for shard in shards} == {"1", "2"}


@pytest.mark.usefixtures("tensorflow_io")
def test_rerun_does_nothing_and_other_parameters_are_refused(s3, bucket, joined):
    def times():
        answer = s3.client.list_objects_v2(Bucket=bucket, Prefix="examples/")
        return {one["Key"]: one["LastModified"] for one in answer["Contents"]}

    before = times()
    source = f"s3://{bucket}/source"
    assert build_examples(options(source, joined)) == ExampleSet.open(joined).manifest
    with pytest.raises(UserInputError, match="history_length was 50, now 9"):
        build_examples(options(source, joined, history_length=9))
    assert times() == before


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow_io")
def test_a_job_that_is_killed_leaves_no_data_set_and_a_rerun_completes(s3, local, bucket):
    code = (
        "import os; from features.files import manifest; from pipeline import build_examples;"
        f"manifest.write_manifest = lambda *_: os.kill(os.getpid(), {signal.SIGKILL:d});"
        "build_examples.main()"
    )
    source, output = f"s3://{bucket}/source", f"s3://{bucket}/killed"
    flags = [f"--events={source}/log", f"--embeddings=text={source}/text", f"--output={output}"]
    flags += [f"--items={source}/items", "--partitions=3", "--history_length=7"]
    run = subprocess.run([sys.executable, "-c", code, *flags], capture_output=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    left = s3.objects(bucket, "killed/")
    assert [key for key in left if key.endswith(".tfrecord")]
    with pytest.raises(UserInputError, match="not a complete data set"):
        ExampleSet.open(output)
    s3.client.put_object(Bucket=bucket, Key="killed/train-00009-of-00010.tfrecord", Body=b"stale")
    build_examples(options(source, output))
    assert published(s3, bucket, "killed") == below(local / "examples")
    assert s3.objects(bucket, "killed.building") == {}


def test_objects_of_others_are_left_alone(s3, bucket):
    s3.client.put_object(Bucket=bucket, Key="mine/thesis.txt", Body=b"years of work")
    with pytest.raises(UserInputError, match="no data set"):
        build_examples(options(f"s3://{bucket}/source", f"s3://{bucket}/mine"))
    assert published(s3, bucket, "mine") == {"thesis.txt": b"years of work"}


def test_too_many_bad_rows_publish_nothing_and_are_kept(s3, local, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    bucket = s3.bucket()
    rows = [{**row, "user_id": None} for row in logs.random_rows(1, events=4)]
    folder = local / "bad"
    logs.write_log(folder, rows + logs.random_rows(2, events=20), files=1)
    log = s3.upload(bucket, folder, "log")
    with pytest.raises(UserInputError, match="4 of 24 rows are bad") as caught:
        build_examples(
            options(local / "source", f"s3://{bucket}/out", events=log, max_bad_fraction=0.1)
        )
    assert f"s3://{bucket}/out.rejected/quarantine" in str(caught.value)
    found = s3.objects(bucket, "out")
    assert found.pop(f"out.rejected/{staging.MARKER}").startswith(b"process ")
    assert len(found) == 1
    lines = next(iter(found.values())).splitlines()
    assert [json.loads(line)["reason"] for line in lines] == ["user_id is null"] * 4
    (copies,) = tmp_path.iterdir()
    assert not list(copies.iterdir()), "the copy of the look-up tables is removed"


def test_of_two_jobs_the_one_that_began_first_fails(s3):
    bucket = s3.bucket()
    first, second = (output_objects.OutputObjects(f"s3://{bucket}/out") for _ in range(2))
    first.begin()
    second.begin()
    with pytest.raises(UserInputError, match="Another job has begun"):
        first.complete({})
    first.abandon()
    second.complete({"splits": {}})
    assert set(s3.objects(bucket)) == {"out/manifest.json"}
    with pytest.raises(UserInputError, match="by another job meanwhile"):
        first.begin()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"events": "s3://no-such-bucket-at-all/log"}, "--events.*NO_SUCH_BUCKET"),
        ({"output": "s3://no-such-bucket-at-all/out"}, "NO_SUCH_BUCKET"),
        ({"events": "s3://{bucket}/absent"}, "--events.*absent' cannot be used"),
    ],
)
def test_names_that_lead_nowhere(bucket, values, message):
    values = {name: value.format(bucket=bucket) for name, value in values.items()}
    with pytest.raises(UserInputError, match=message):
        build_examples(options(f"s3://{bucket}/source", **{"output": f"s3://{bucket}/x", **values}))
