"""Jobs in processes of their own that read examples from an S3 server."""

import json
import os
import subprocess
import sys

import pytest

from features.errors import UserInputError
from models.inputs.example_set import ExampleSet
from tests.server_process import free_port

SMALL = (
    "--set=model.hidden=(8,)",
    "--set=model.embedding_width=4",
    "--set=model.head_width=4",
    "--set=training.batch_candidates=64",
)


ENDING = """
import atexit, sys, threading, time
import tensorflow as tf
from features.errors import UserInputError
from models.inputs.example_set import ExampleSet
from pipeline.runtime import entry_point

def work(arguments):
    examples = ExampleSet.open(sys.argv[1])
    assert any(True for _ in tf.data.TFRecordDataset(examples.shards("train")))
    atexit.register(print, "handler ran")
    threading.Thread(target=lambda: (time.sleep(0.3), print("thread ended"))).start()
    if how == "user error":
        raise UserInputError("the user's fault")
    if how == "crash":
        raise RuntimeError("the program's fault")
    if how == "code":
        sys.exit(7)

how = sys.argv.pop()
entry_point.run(work, pass_unknown_flags=True)
"""


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("success", 0, ""),
        pytest.param("user error", 2, "Error: the user's fault\n", marks=pytest.mark.slow),
        pytest.param("crash", 1, "RuntimeError: the program's fault\n", marks=pytest.mark.slow),
        pytest.param("code", 7, "", marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("tensorflow_io")
def test_the_exit_code_is_the_jobs_own_after_reading_s3(joined, how, code, message):
    command = [sys.executable, "-c", ENDING, joined, how]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (code, "thread ended\nhandler ran\n"), run.stderr
    assert run.stderr.endswith(message)
    assert ("Traceback" in run.stderr) == (how == "crash")
    assert "pure virtual" not in run.stderr


def run_job(job, *arguments, **environment):
    command = [sys.executable, "-m", f"pipeline.{job}", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, **environment},
    )


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow_io")
def test_train_and_evaluate_from_s3(s3, local, bucket, joined, tmp_path):
    run = run_job("train", f"--examples={joined}", f"--model_dir={tmp_path}/model", *SMALL)
    assert run.returncode == 0, run.stderr
    model = s3.upload(bucket, tmp_path / "model", "model")
    metrics = {}
    for name, examples, folder, output in [
        ("local", local / "examples", tmp_path / "model", tmp_path / "metrics.json"),
        ("remote", joined, model, f"s3://{bucket}/metrics.json"),
    ]:
        paths = [f"--examples={examples}", f"--model_dir={folder}", f"--output={output}"]
        run = run_job("evaluate", *paths)
        assert run.returncode == 0, run.stderr
        metrics[name] = output
    remote = s3.objects(bucket, "metrics.json")["metrics.json"]
    assert json.loads(remote) == json.loads(metrics["local"].read_bytes())
    run = run_job("evaluate", f"--examples={joined}", f"--model_dir={model}", "--split=nosuch")
    assert run.returncode == 2
    assert "no records in split 'nosuch'" in run.stderr and "Traceback" not in run.stderr


@pytest.mark.usefixtures("tensorflow_io")
def test_a_shard_that_was_cut_short_is_told(s3, local, bucket):
    s3.upload(bucket, local / "examples", "short")
    key, data = next(iter(s3.objects(bucket, "short/train-").items()))
    s3.client.put_object(Bucket=bucket, Key=key, Body=data[:-1])
    with pytest.raises(UserInputError, match=f"{len(data) - 1} bytes, .* says {len(data)}"):
        ExampleSet.open(f"s3://{bucket}/short").shards("train")


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow_io")
def test_a_shard_that_is_damaged_is_named_by_the_training(s3, local, bucket, tmp_path):
    s3.upload(bucket, local / "examples", "damaged")
    key, data = list(s3.objects(bucket, "damaged/train-").items())[-1]
    flipped = data[:-10] + bytes([data[-10] ^ 1]) + data[-9:]
    s3.client.put_object(Bucket=bucket, Key=key, Body=flipped)
    arguments = [f"--examples=s3://{bucket}/damaged", f"--model_dir={tmp_path}/model", *SMALL]
    run = run_job("train", *arguments)
    assert run.returncode == 2, run.stderr
    assert f"Shard 's3://{bucket}/{key}' cannot be read: corrupted record at" in run.stderr
    assert "Traceback" not in run.stderr and "pure virtual" not in run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("job", ["train", "evaluate", "build_examples"])
def test_a_server_that_is_down_is_told_soon(job, joined, tmp_path, request):
    if job == "build_examples":
        arguments = [f"--events={joined}", f"--output={tmp_path}/out"]
    else:
        request.getfixturevalue("tensorflow_io")
        arguments = [f"--examples={joined}", f"--model_dir={tmp_path}/model"]
    endpoint = f"http://127.0.0.1:{free_port()}"
    run = run_job(job, *arguments, AWS_ENDPOINT_URL=endpoint)
    assert run.returncode == 2
    assert "AWS_ENDPOINT_URL" in run.stderr and "Traceback" not in run.stderr


@pytest.mark.slow
def test_a_remote_model_folder_is_refused_before_training(joined):
    run = run_job("train", f"--examples={joined}", "--model_dir=s3://bucket/model")
    assert run.returncode == 2
    assert "must be a local folder" in run.stderr
