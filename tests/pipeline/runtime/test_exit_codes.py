"""Errors of the system, as each library raises them, become an exit code and a sentence."""

import errno
import os

import apache_beam as beam
import duckdb
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from features.errors import RetryError, UserInputError
from pipeline.runtime import exit_codes
from pipeline.statistics.database import open_database
from tests import faults

LARGE = 3 << 20


def caught(function, *arguments):
    with pytest.raises(Exception) as found:
        function(*arguments)
    return found.value


def of(function, *arguments):
    found = exit_codes.of(caught(function, *arguments))
    assert found is not None
    code, sentence = found
    assert "\n" not in sentence and sentence.endswith(".")
    return code, sentence


def write_text(path):
    with open(path, "w") as file:
        file.write("x" * LARGE)


def write_arrow(path):
    pq.write_table(pa.table({"a": np.random.default_rng(0).random(LARGE)}), path)


def write_records(path):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for _ in range(LARGE // 10_000):
            writer.write(b"x" * 10_000)


def write_checkpoint(path):
    tf.train.Checkpoint(v=tf.Variable(tf.random.normal([LARGE]))).write(str(path))


def write_text_by_tensorflow(path):
    with tf.io.gfile.GFile(str(path), "w") as file:
        file.write("x" * LARGE)


def write_hdf5(path):
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros(LARGE)


def write_by_beam(path, *flags):
    with beam.Pipeline(options=PipelineOptions(flags)) as pipeline:
        _ = pipeline | beam.Create([str(path)]) | "A step" >> beam.Map(write_text)


WRITERS = (write_text, write_records, write_checkpoint, write_text_by_tensorflow, write_by_beam)


@pytest.mark.parametrize("write", [*WRITERS, write_arrow])
def test_a_full_disk(write):
    with faults.small_disk(2) as disk:
        faults.fill(disk, 1 << 20)
        code, sentence = of(write, disk / "a file")
        is_named = write not in (write_text, write_arrow, write_by_beam)
        name = f"{disk!s}/a file" if is_named else exit_codes.UNNAMED
        assert name in sentence.replace("a file_temp", "a file")
    assert code == exit_codes.USER_ERROR
    assert "no space is left on the disk. Make room there" in sentence


@pytest.mark.parametrize("write", [*WRITERS, write_arrow, write_hdf5])
def test_a_read_only_disk(write, tmp_path):
    with faults.read_only(tmp_path):
        code, sentence = of(write, tmp_path / "a file")
    assert code == exit_codes.USER_ERROR
    assert str(tmp_path) in sentence
    assert "the disk can only be read" in sentence or "permission denied" in sentence


@pytest.mark.parametrize("write", [*WRITERS, write_arrow])
def test_a_parent_that_is_a_file(write, tmp_path):
    (tmp_path / "file").touch()
    code, sentence = of(write, tmp_path / "file" / "a file")
    assert code == exit_codes.USER_ERROR
    assert f"{tmp_path!s}/file" in sentence and "Choose another path" in sentence


@pytest.mark.slow(seconds=15)
def test_a_full_disk_of_another_process():
    flags = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    with faults.small_disk(2) as disk:
        code, sentence = of(write_by_beam, disk / "a file", *flags)
        assert code == exit_codes.USER_ERROR
        assert f"{exit_codes.UNNAMED}: no space" in sentence


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: np.zeros(1 << 50),
        lambda: bytearray(1 << 50),
        lambda: pa.allocate_buffer(1 << 50),
        lambda: tf.zeros([1 << 45]),
    ],
    ids=["numpy", "python", "pyarrow", "tensorflow"],
)
def test_no_memory(allocate):
    code, sentence = of(allocate)
    assert code == exit_codes.USER_ERROR
    assert sentence.startswith("Out of memory: ") and "where more memory is free" in sentence


def test_a_database_without_room():
    query = "SELECT count(*) FROM (SELECT DISTINCT hash(i), hash(i + 1) FROM range(5000000) t(i))"
    with faults.small_disk(4) as disk, open_database(str(disk), "30MB") as database:
        code, sentence = of(database.execute, query)
    assert code == exit_codes.USER_ERROR
    assert "Out of memory: Out of Memory Error: failed to offload" in sentence


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_a_fault_of_the_moment(number):
    def fail(path):
        raise OSError(number, os.strerror(number), path)

    code, sentence = of(fail, "/data/part")
    assert code == exit_codes.RETRY == 75
    assert "'/data/part': the disk, or the network to it, failed" in sentence
    assert "Run the same command again" in sentence

    def refuse():
        try:
            fail("/data/part")
        except OSError as error:
            raise UserInputError(f"--events '/data/part' cannot be read: {error}.") from error

    code, sentence = of(refuse)
    assert code == exit_codes.RETRY
    assert sentence.startswith("--events '/data/part'")


def test_a_sentence_of_ours_is_kept_also_from_another_process():
    assert exit_codes.of(UserInputError("Give --x.")) == (2, "Give --x.")
    assert exit_codes.of(RetryError("Later.")) == (75, "Later.")
    error = RuntimeError(
        "Traceback (most recent call last):\n  File ...\nfeatures.errors.UserInputError: First.\n"
        "\nDuring handling of the above exception, another exception occurred:\n\n  File ...\n"
        "RuntimeError: features.errors.UserInputError: Give\nmore. [while running 'A/b (c)']\n"
    )
    assert exit_codes.of(error) == (2, "Give\nmore.")


def test_an_error_within_another_one_is_found():
    def fail():
        try:
            raise OSError(errno.ENOSPC, "No space left on device", b"/a/b")
        finally:
            {}["cleaning up"]

    assert of(fail)[1].startswith("'/a/b': no space is left")


@pytest.mark.parametrize(
    "error",
    [
        KeyError("bug"),
        RuntimeError("a bug at /a/b"),
        OSError(errno.EPIPE, "Broken pipe"),
        ValueError("[Errno 28] No space left on device"),
        pa.ArrowInvalid("not Parquet"),
        tf.errors.InvalidArgumentError(None, None, "shapes differ"),
        duckdb.BinderException("no column"),
    ],
)
def test_a_fault_of_the_program_keeps_its_traceback(error):
    assert exit_codes.of(error) is None


def test_a_handled_error_is_no_cause():
    def fail():
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise KeyError("bug") from None

    assert exit_codes.of(caught(fail)) is None


def test_damaged_records(tmp_path):
    (tmp_path / "records").write_bytes(b"no records at all")
    code, sentence = of(list, tf.data.TFRecordDataset(str(tmp_path / "records")))
    assert code == exit_codes.USER_ERROR
    assert sentence.startswith("A file is damaged: corrupted record at 0")


def test_a_long_name_is_shortened():
    code, sentence = of(open, "/tmp/" + "x" * 3000)
    assert code == exit_codes.USER_ERROR
    assert "the name is too long" in sentence and len(sentence) < 400
