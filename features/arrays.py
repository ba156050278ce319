"""Types of NumPy arrays by what they hold; their shapes are in docstrings."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""Of any dtype."""

Integers = npt.NDArray[np.int64]
"""Ids, positions and times."""

Floats = npt.NDArray[np.float32]

SmallIntegers = npt.NDArray[np.int8]
"""Quantized vectors."""

Booleans = npt.NDArray[np.bool_]

DType = np.dtype[Any]
