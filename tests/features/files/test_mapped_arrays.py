"""An array that is written and mapped is the same array."""

import numpy as np
import pytest

from features.files import mapped_arrays


@pytest.mark.parametrize(
    "array",
    [np.arange(12, dtype=np.int8).reshape(3, 4), np.zeros((0, 5), np.float32), np.array([7])],
)
def test_a_mapped_array_equals_what_was_written(tmp_path, array):
    mapped_arrays.write_array(str(tmp_path), "embeddings/text/quantized", array)
    mapped = mapped_arrays.map_array(str(tmp_path), "embeddings/text/quantized")
    np.testing.assert_array_equal(mapped, array)
    assert mapped.dtype == array.dtype
    assert type(mapped) is np.ndarray
