"""Records are framed as TensorFlow frames them, and read whole up to where a file ends."""

import io

import pytest
import tensorflow as tf

from features.records import tfrecord
from features.records.tfrecord import Problem

RECORDS = [b"first", b"", bytes(range(256)) * 3]


def read(data, size=None):
    frames = tfrecord.whole_records(io.BytesIO(data), len(data) if size is None else size)
    return [frame.problem or frame.record for frame in frames]


def test_what_tensorflow_writes_is_read_and_what_is_framed_tensorflow_reads(tmp_path):
    path = str(tmp_path / "a.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for record in RECORDS:
            writer.write(record)
    framed = b"".join(map(tfrecord.frame, RECORDS))
    assert (tmp_path / "a.tfrecord").read_bytes() == framed
    assert read(framed) == RECORDS
    assert list(tf.data.TFRecordDataset(path).as_numpy_iterator()) == RECORDS


def test_a_file_that_ends_anywhere_gives_every_whole_record():
    framed = b"".join(map(tfrecord.frame, RECORDS))
    ends = [0, 21, 37, len(framed)]
    for size in range(len(framed) + 1):
        whole = sum(end <= size for end in ends) - 1
        rest = [] if size in ends else [Problem.TORN]
        assert read(framed[:size]) == RECORDS[:whole] + rest, size
        # The file has grown since its size was taken.
        assert read(framed, size) == RECORDS[:whole] + rest, size


def test_a_changed_byte_costs_its_record_alone_and_a_changed_length_the_rest():
    framed = bytearray(b"".join(map(tfrecord.frame, RECORDS)))
    framed[14] ^= 1
    assert read(bytes(framed)) == [Problem.DAMAGED, *RECORDS[1:]]
    framed[14] ^= 1
    framed[21] ^= 1
    assert read(bytes(framed)) == [RECORDS[0], Problem.DAMAGED]


@pytest.mark.parametrize("length", [2**40, tfrecord.LARGEST_RECORD + 1])
def test_no_memory_is_taken_for_a_length_that_a_file_claims(length):
    class Endless(io.BytesIO):
        def read(self, count=-1):
            assert count <= 12, "the record is not read"
            return super().read(count)

    header = tfrecord._header(length)
    (frame,) = tfrecord.whole_records(Endless(header + bytes(100)), 2**50)
    assert frame.problem is Problem.DAMAGED
    (frame,) = tfrecord.whole_records(Endless(tfrecord._header(2**20)), 1000)
    assert frame.problem is Problem.TORN


def test_reading_begins_where_a_record_does():
    framed = b"".join(map(tfrecord.frame, RECORDS))
    frames = list(tfrecord.whole_records(io.BytesIO(framed), len(framed)))
    (again, *_) = tfrecord.whole_records(io.BytesIO(framed), len(framed), frames[2].offset)
    assert again.record == RECORDS[2]
