"""Writer = reader for every feature, and the columnar writer = the plain one."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from features.records import columnar, example, tfrecord
from features.schema import HISTORY, ExampleSchema
from tests.features.records.requests import SCHEMA, random_request

BARE = ExampleSchema(labels=("click",), modalities=(), history_length=2)
SHAPES = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 6)), min_size=1, max_size=4)


def padded(values, shape):
    result = np.zeros(shape, np.asarray(values).dtype)
    result[tuple(slice(size) for size in np.shape(values))] = values
    return result


def check_parsed(schema, requests):
    serialized = [example.encode_request(schema, request) for request in requests]
    batch = example.parse_examples(schema, tf.constant(serialized))
    C = max(len(request.candidate_item_id) for request in requests)
    L = max(len(request.history_item_id) for request in requests)
    for r, request in enumerate(requests):
        unchecked = {name: values[r] for name, values in batch.items()}

        def check(name, values, shape=(), unchecked=unchecked):
            np.testing.assert_array_equal(
                unchecked.pop(name), padded(values, shape), err_msg=name, strict=True
            )

        for name in example.SCALARS:
            check(name, np.int64(getattr(request, name)))
        for name in HISTORY:
            check(name, getattr(request, name), (L,))
        check("history_mask", np.ones(len(request.history_item_id), bool), (L,))
        check("candidate_mask", np.ones(len(request.candidate_item_id), bool), (C,))
        check("candidate_item_id", request.candidate_item_id, (C,))
        for label, values in request.labels.items():
            check(label, values, (C,))
        for name, values in request.features.items():
            shapes = {
                "similarity": (C, L),
                "candidate": (C, *values.shape[1:]),
                "context": values.shape,
            }
            check(name, values, shapes[name.partition("_")[0]])
        assert not unchecked, "parsed, but not written"


@pytest.mark.parametrize("schema", [SCHEMA, BARE], ids=["full", "bare"])
@pytest.mark.parametrize(
    "shapes", [[(1, 0)], [(1, 1)], [(3, 2)], [(1, 0), (2, 2)], [(4, 1), (1, 2), (2, 0)]]
)
def test_writer_equals_reader(schema, shapes):
    random = np.random.default_rng(0)
    check_parsed(schema, [random_request(random, schema, *shape) for shape in shapes])


@given(SHAPES, st.integers(0, 2**32))
def test_columnar_bytes_equal_plain_bytes(shapes, seed):
    random = np.random.default_rng(seed)
    requests = [random_request(random, SCHEMA, *shape) for shape in shapes]
    expected = [example.encode_request(SCHEMA, request) for request in requests]
    assert columnar.encode_requests(SCHEMA, slices(requests)) == expected


def test_columnar_slices_may_overlap():
    random = np.random.default_rng(0)
    requests = [random_request(random, BARE, 1, 2) for _ in range(2)]
    features = slices(requests)
    shared = columnar.Slices(np.array([7, 300, -1]), np.array([0, 1]), np.array([2, 3]))
    records = columnar.encode_requests(BARE, {**features, "history_item_id": shared})
    parsed = example.parse_examples(BARE, tf.constant(records))
    assert parsed["history_item_id"].numpy().tolist() == [[7, 300], [300, -1]]


def slices(requests):
    """The requests' features as flat arrays."""

    def of(parts):
        lengths = [len(part) for part in parts]
        ends = np.cumsum(lengths)
        return columnar.Slices(np.concatenate(parts), ends - lengths, ends)

    features = {}
    for name in example.SCALARS:
        features[name] = columnar.Slices.one_each(np.array([getattr(r, name) for r in requests]))
    for name in (*HISTORY, "candidate_item_id"):
        features[name] = of([getattr(request, name) for request in requests])
    for name in requests[0].labels:
        features[name] = of([request.labels[name] for request in requests])
    for name in requests[0].features:
        values = [request.features[name] for request in requests]
        if name.startswith("similarity_"):
            features[name] = of([codes.reshape(-1) for codes in values])
        elif name.startswith("context_"):
            features[name] = columnar.Slices.one_each(np.stack(values))
        else:
            features[name] = of(values)
    return features


def test_same_request_same_bytes():
    one, other = (
        example.encode_request(SCHEMA, random_request(np.random.default_rng(3), SCHEMA, 2, 2))
        for _ in range(2)
    )
    assert one == other


def test_record_without_a_label_is_refused():
    request = random_request(np.random.default_rng(0), SCHEMA, 2, 2)
    del request.labels["conversion"]
    with pytest.raises(KeyError, match="conversion"):
        example.encode_request(SCHEMA, request)


def test_codes_that_do_not_fit_the_candidates_are_refused():
    request = random_request(np.random.default_rng(0), SCHEMA, 2, 2)
    record = tf.train.Example.FromString(example.encode_request(SCHEMA, request))
    record.features.feature["similarity_text"].bytes_list.value[0] = bytes(6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="similarity_text"):
        example.parse_examples(SCHEMA, tf.constant([record.SerializeToString()]))
    request.features["similarity_text"] = np.zeros((3, 2), np.uint8)
    with pytest.raises(ValueError, match=r"similarity_text has shape \[3, 2\], expected \[2, 2\]"):
        example.encode_request(SCHEMA, request)


@pytest.mark.parametrize("name", ["history_type", "history_time_gap", "candidate_price"])
def test_a_feature_of_another_length_is_refused_by_name(name):
    random = np.random.default_rng(0)
    requests = [random_request(random, SCHEMA, 4, 5) for _ in range(2)]
    examples = [tf.train.Example.FromString(example.encode_request(SCHEMA, r)) for r in requests]
    feature = examples[0].features.feature[name]
    values = feature.float_list.value or feature.int64_list.value
    assert len(values) >= 4
    del values[-1]  # The other record keeps the batch's shape.
    serialized = tf.constant([one.SerializeToString() for one in examples])
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"{name}: the number of values"):
        example.parse_examples(SCHEMA, serialized)


def test_candidate_count():
    request = random_request(np.random.default_rng(0), SCHEMA, 3, 0)
    serialized = example.encode_request(SCHEMA, request)
    assert example.candidate_count(tf.constant(serialized)).numpy() == 3


def test_framing_is_what_tensorflow_reads_and_writes(tmp_path):
    records = [b"", b"a", bytes(range(256)) * 40]
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_bytes(b"".join(map(tfrecord.frame, records)))
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in records:
            writer.write(record)
    assert ours.read_bytes() == theirs.read_bytes()
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(ours))] == records
