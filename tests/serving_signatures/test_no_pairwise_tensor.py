"""No tensor of an exported graph holds C * L * d values; early fusion's does.

The graph is frozen and every tensor of it is fetched in one run with prime sizes, so a size that
is a multiple of C * L * width can only be a tensor over all pairs. Nothing is inferred.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from serving_signatures.export import parity_process
from tests.serving_signatures import serving

SHAPE = (1, 31, 29)
CANDIDATES, BEHAVIORS = SHAPE[1:]
WIDTHS = {"embedding": 17, "head": 13, "text": 12, "image": 9}  # of serving.CONFIG and the schema
SCORING = ("serving_default", "score_request", "score_cached")


@functools.cache
def frozen(function) -> tf.compat.v1.GraphDef:
    """A concrete function's graph without variables and calls; it takes seconds."""
    # Otherwise the look-ups of an int32 table in a loaded function are converted by half.
    frozen = convert_variables_to_constants_v2(function, aggressive_inlining=True)
    return frozen.graph.as_graph_def()


def sizes_of_all_tensors(function, inputs) -> dict[str, int]:
    """Runs a concrete function with named inputs; returns the size of every tensor by name."""
    nodes = frozen(function).node
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen(function), name="")
        tensors = [
            output
            for operation in graph.get_operations()
            if operation.type not in ("Placeholder", "NoOp", "Assert")
            for output in operation.outputs
        ]
        feeds = {f"{name}:0": value for name, value in named(function, inputs).items()}
        assert {name.partition(":")[0] for name in feeds} <= {node.name for node in nodes}
        with tf.compat.v1.Session(graph=graph) as session:
            values = session.run(tensors, feeds)
    assert not any(node.op.endswith("PartitionedCall") for node in nodes)
    return {t.name: np.size(value) for t, value in zip(tensors, values, strict=True)}


def operations_run(function, inputs) -> list[str]:
    """Runs a concrete function as TensorFlow optimizes it; returns its operations' types."""
    ran = tf.compat.v1.RunMetadata()
    options = tf.compat.v1.RunOptions(output_partition_graphs=True)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen(function), name="")
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


# Of what is inside, `score_request` alone is made otherwise, see the test below.
GRAPHS = [*(("with_tables", name) for name in SCORING), ("with_vectors", "score_request")]


@pytest.fixture(params=GRAPHS, ids="-".join)
def graph(request):
    kind, name = request.param
    return request.getfixturevalue(kind), name


def test_no_tensor_holds_a_value_for_every_pair_and_width(graph):
    published, name = graph
    config = serving.CONFIG
    assert (config.embedding_width, config.head_width) == (WIDTHS["embedding"], WIDTHS["head"])
    sample = serving.requests(SHAPE, published.embeddings)
    inputs = inputs_of(published.signatures, name, sample, published.tables_inside)
    sizes = sizes_of_all_tensors(published.signatures[name], inputs)
    assert pairwise(sizes) == []
    # It did run the attention: scores over all pairs are there, one per head.
    assert CANDIDATES * BEHAVIORS * serving.CONFIG.heads in sizes.values()


def test_tiers_and_kernel_share_one_histogram_of_each_modality(graph):
    published, name = graph
    sample = serving.requests(SHAPE, published.embeddings)
    inputs = inputs_of(published.signatures, name, sample, published.tables_inside)
    ran = operations_run(published.signatures[name], inputs)
    # Two more sum the attention by bucket.
    assert ran.count("DenseBincount") == 4


def operations(graph) -> list[tuple[str, str]]:
    """Names and types, but for the variables, which the trace numbers."""
    return [(one.name, one.type) for one in graph.get_operations() if one.type != "Placeholder"]


@pytest.mark.parametrize("name", ["serving_default", "score_cached"])
def test_with_tables_and_without_the_graph_is_the_same(embeddings, name):
    """Where attention reads no vectors; otherwise it reads those of the tables."""
    model = serving.random_model(vectors=False)
    one, other = (
        serving.traced(model, sets, scoring=[name]).functions[name] for sets in (embeddings, None)
    )
    assert len(operations(one.graph)) > 500
    assert operations(one.graph) == operations(other.graph)


def test_the_same_check_finds_early_fusion(embeddings):
    model = serving.random_model(name="early_fusion")
    early_fusion = serving.traced(model, embeddings, scoring=["score_request"])
    signatures = early_fusion.functions
    assert "score_cached" not in signatures
    sample = serving.requests(SHAPE, embeddings)
    inputs = inputs_of(signatures, "score_request", sample, True)
    assert pairwise(sizes_of_all_tensors(signatures["score_request"], inputs))
