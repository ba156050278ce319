"""Records of plain and of compressed files are the same."""

import random
import zlib

import pytest
import tensorflow as tf

from features.records import record_files, tfrecord

random_bytes = random.Random(0)
# Some are larger than the buffers of the reader, and some compress to nothing.
RECORDS = [random_bytes.randbytes(random_bytes.randrange(3000)) for _ in range(300)]
RECORDS += [b"", random_bytes.randbytes(600_000), bytes(2_000_000)]


def framed(records):
    return b"".join(map(tfrecord.frame, records))


def member(data):
    compressor = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    return compressor.compress(data) + compressor.flush()


def read(*paths):
    return list(record_files.read_all(list(map(str, paths))).as_numpy_iterator())


def test_a_compressed_file_is_read(tmp_path):
    path = tmp_path / "a.tfrecord.gz"
    path.write_bytes(member(framed(RECORDS)))
    assert read(path) == RECORDS
    assert list(record_files.read(str(path)).as_numpy_iterator()) == RECORDS


def test_files_of_both_kinds_are_read_together_in_their_order(tmp_path):
    # A folder's name says nothing of its files.
    (tmp_path / "x.gz").mkdir()
    plain, compressed = tmp_path / "x.gz" / "b.tfrecord", tmp_path / "a.tfrecord.gz"
    plain.write_bytes(framed(RECORDS[:9]))
    compressed.write_bytes(member(framed(RECORDS[9:20])))
    assert read(plain, compressed, plain) == RECORDS[:20] + RECORDS[:9]
    assert read() == []


@pytest.mark.parametrize("place", [1, 30, -3], ids=["header", "data", "checksum"])
def test_a_changed_byte_is_an_error(tmp_path, place):
    data = bytearray(member(framed(RECORDS)))
    data[place] ^= 255
    path = tmp_path / "a.tfrecord.gz"
    path.write_bytes(data)
    with pytest.raises(tf.errors.DataLossError):
        read(path)


def test_what_follows_a_member_may_be_missed(tmp_path):
    # Why the join writes one member per file: here the reader's buffer ends within a checksum.
    noise, size = random_bytes.randbytes(1 << 18), 1 << 18
    while len(member(framed([noise[:size]]))) > (1 << 18) + 4:
        size -= 1
    path = tmp_path / "a.tfrecord.gz"
    path.write_bytes(member(framed([noise[:size]])) + member(framed(RECORDS[:9])))
    assert read(path) == [noise[:size]], "members that are read whole may be put together as such"
