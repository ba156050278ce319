"""No tensor of an exported graph holds C * L * d values; early fusion's does.

The graph is frozen and every tensor of it is fetched in one run with prime sizes, so a size that
is a multiple of C * L * width can only be a tensor over all pairs. Nothing is inferred.
"""

import math

import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from serving_signatures.export import parity_process
from serving_signatures.signatures import ServingSignatures
from tests.serving_signatures import serving

SHAPE = (1, 31, 29)
CANDIDATES, BEHAVIORS = SHAPE[1:]
WIDTHS = {"embedding": 17, "head": 13, "text": 12, "image": 9}  # of serving.CONFIG and the schema
SCORING = ("serving_default", "score_request", "score_cached")


def sizes_of_all_tensors(function, inputs) -> dict[str, int]:
    """Runs a concrete function with named inputs; returns the size of every tensor by name."""
    frozen = convert_variables_to_constants_v2(function).graph.as_graph_def()
    inside = {node.name for node in frozen.node}
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen, name="")
        tensors = [
            output
            for operation in graph.get_operations()
            if operation.type not in ("Placeholder", "NoOp", "Assert")
            for output in operation.outputs
        ]
        feeds = {f"{name}:0": value for name, value in named(function, inputs).items()}
        assert {name.partition(":")[0] for name in feeds} <= inside
        with tf.compat.v1.Session(graph=graph) as session:
            shapes = session.run([tf.shape(tensor, tf.int64) for tensor in tensors], feeds)
    assert not any(node.op.endswith("PartitionedCall") for node in frozen.node)
    return {t.name: math.prod(shape.tolist()) for t, shape in zip(tensors, shapes, strict=True)}


def operations_run(function, inputs) -> list[str]:
    """Runs a concrete function as TensorFlow optimizes it; returns its operations' types."""
    frozen = convert_variables_to_constants_v2(function).graph
    ran = tf.compat.v1.RunMetadata()
    options = tf.compat.v1.RunOptions(output_partition_graphs=True)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen.as_graph_def(), name="")
        fetched = [graph.get_tensor_by_name(one.name) for one in function.outputs]
        feeds = {f"{name}:0": value for name, value in named(function, inputs).items()}
        with tf.compat.v1.Session(graph=graph) as session:
            session.run(fetched, feeds, options=options, run_metadata=ran)
    return [node.op for one in ran.partition_graphs for node in one.node]


def named(function, inputs):
    """Keys inputs by the placeholder that a signature's argument became."""
    placeholders = function.structured_input_signature[1]
    return {placeholders[name].name: inputs[name] for name in placeholders}


def pairwise(sizes: dict[str, int]) -> list[str]:
    found = []
    for name, size in sizes.items():
        for width in WIDTHS.values():
            if size and size % (CANDIDATES * BEHAVIORS * width) == 0:
                found.append(f"{name} holds {size}")
    return found


def inputs_of(signatures, name, sample, tables_inside):
    if name == "serving_default":
        return {"examples": sample["examples"]}
    inputs = serving.inputs(sample, tables_inside)
    return parity_process.cached_inputs(signatures, inputs) if name == "score_cached" else inputs


@pytest.mark.parametrize("name", SCORING)
def test_no_tensor_holds_a_value_for_every_pair_and_width(published, name):
    config = serving.CONFIG
    assert (config.embedding_width, config.head_width) == (WIDTHS["embedding"], WIDTHS["head"])
    sample = serving.requests(SHAPE, published.embeddings)
    inputs = inputs_of(published.signatures, name, sample, published.tables_inside)
    sizes = sizes_of_all_tensors(published.signatures[name], inputs)
    assert pairwise(sizes) == []
    # It did run the attention: scores over all pairs are there, one per head.
    assert CANDIDATES * BEHAVIORS * serving.CONFIG.heads in sizes.values()


@pytest.mark.parametrize("name", SCORING)
def test_tiers_and_kernel_share_one_histogram_of_each_modality(published, name):
    sample = serving.requests(SHAPE, published.embeddings)
    inputs = inputs_of(published.signatures, name, sample, published.tables_inside)
    ran = operations_run(published.signatures[name], inputs)
    # Two more sum the attention by bucket.
    assert ran.count("DenseBincount") == 4


def test_the_same_check_finds_early_fusion(embeddings):
    early_fusion = ServingSignatures(serving.random_model(name="early_fusion"), embeddings)
    signatures = early_fusion.functions
    assert "score_cached" not in signatures
    sample = serving.requests(SHAPE, embeddings)
    inputs = inputs_of(signatures, "score_request", sample, True)
    assert pairwise(sizes_of_all_tensors(signatures["score_request"], inputs))
