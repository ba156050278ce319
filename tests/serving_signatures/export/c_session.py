"""Runs a SavedModel by TensorFlow's C API alone: `python -I c_session.py LIBRARY MODEL CALLS`.

`TF_LoadSessionFromSavedModel` is the C++ loader that TensorFlow Serving uses. Neither this
project nor TensorFlow's Python is imported. CALLS holds pairs of `<name>.json` (inputs and
outputs, name to tensor) and `<name>.npz` (arrays); `<name>.out.npz` gets the outputs, or
`<name>.error` the message.
"""

import ctypes
import json
import os
import sys

import numpy as np

STRING = 7
CODES = {1: "float32", 3: "int32", 4: "uint8", 6: "int8", 9: "int64", 10: "bool"}
NUMBERS = {np.dtype(name): code for code, name in CODES.items()}
STRING_BYTES = 24
"""Of a TF_TString."""


class Output(ctypes.Structure):
    """TF_Output: a tensor of the graph."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


class Session:
    """A loaded SavedModel."""

    def __init__(self, library: str, saved_model: str):
        self.tf = ctypes.CDLL(library)
        for name in (
            *("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_GraphOperationByName"),
            *("TF_LoadSessionFromSavedModel", "TF_AllocateTensor", "TF_TensorData"),
            "TF_StringGetDataPointer",
        ):
            getattr(self.tf, name).restype = ctypes.c_void_p
        self.tf.TF_Message.restype = ctypes.c_char_p
        for name in ("TF_Dim", "TF_TensorByteSize", "TF_StringGetSize"):
            getattr(self.tf, name).restype = ctypes.c_int64
        self.status = ctypes.c_void_p(self.tf.TF_NewStatus())
        self.graph = ctypes.c_void_p(self.tf.TF_NewGraph())
        options = ctypes.c_void_p(self.tf.TF_NewSessionOptions())
        tags = (ctypes.c_char_p * 1)(b"serve")
        self.session = ctypes.c_void_p(
            self.tf.TF_LoadSessionFromSavedModel(
                options, None, saved_model.encode(), tags, 1, self.graph, None, self.status
            )
        )
        self.check()

    def check(self) -> None:
        if self.tf.TF_GetCode(self.status):
            code = self.tf.TF_GetCode(self.status)
            raise RuntimeError(f"code {code}: {self.tf.TF_Message(self.status).decode()}")

    def output(self, tensor: str) -> Output:
        name, _, index = tensor.partition(":")
        operation = self.tf.TF_GraphOperationByName(self.graph, name.encode())
        if not operation:
            raise LookupError(f"the graph has no {name}")
        return Output(operation, int(index or 0))

    def tensor(self, array: np.ndarray) -> ctypes.c_void_p:
        code = STRING if array.dtype.kind == "O" else NUMBERS[array.dtype]
        bytes_ = array.size * (STRING_BYTES if code == STRING else array.itemsize)
        dims = (ctypes.c_int64 * array.ndim)(*array.shape)
        made = self.tf.TF_AllocateTensor(code, dims, array.ndim, ctypes.c_size_t(bytes_))
        tensor = ctypes.c_void_p(made)
        data = self.tf.TF_TensorData(tensor)
        if code == STRING:
            for index, value in enumerate(array.reshape(-1)):
                place = ctypes.c_void_p(data + index * STRING_BYTES)
                self.tf.TF_StringInit(place)
                self.tf.TF_StringCopy(place, value, ctypes.c_size_t(len(value)))
        elif bytes_:
            ctypes.memmove(data, np.ascontiguousarray(array).tobytes(), bytes_)
        return tensor

    def array(self, tensor: ctypes.c_void_p) -> np.ndarray:
        shape = [self.tf.TF_Dim(tensor, axis) for axis in range(self.tf.TF_NumDims(tensor))]
        data, code = self.tf.TF_TensorData(tensor), self.tf.TF_TensorType(tensor)
        if code != STRING:
            raw = ctypes.string_at(data, self.tf.TF_TensorByteSize(tensor)) if data else b""
            return np.frombuffer(raw, CODES[code]).reshape(shape)
        values = []
        for index in range(int(np.prod(shape))):
            place = ctypes.c_void_p(data + index * STRING_BYTES)
            size = self.tf.TF_StringGetSize(place)
            values.append(ctypes.string_at(self.tf.TF_StringGetDataPointer(place), size))
        return np.array(values, object).reshape(shape)

    def run(self, inputs: dict, outputs: list[str]) -> list[np.ndarray]:
        fed = (Output * len(inputs))(*(self.output(name) for name in inputs))
        values = (ctypes.c_void_p * len(inputs))(*(self.tensor(a).value for a in inputs.values()))
        fetched = (Output * len(outputs))(*(self.output(name) for name in outputs))
        results = (ctypes.c_void_p * len(outputs))()
        self.tf.TF_SessionRun(
            *(self.session, None, fed, values, len(inputs), fetched, results, len(outputs)),
            *(None, 0, None, self.status),
        )
        self.check()
        return [self.array(ctypes.c_void_p(result)) for result in results]


def main(library: str, saved_model: str, calls: str) -> None:
    session = Session(library, saved_model)
    for file in sorted(name for name in os.listdir(calls) if name.endswith(".json")):
        path = os.path.join(calls, file.removesuffix(".json"))
        with open(f"{path}.json") as opened:
            names = json.load(opened)
        with np.load(f"{path}.npz", allow_pickle=True) as arrays:
            inputs = {names["inputs"][name]: arrays[name] for name in arrays}
        try:
            results = session.run(inputs, list(names["outputs"].values()))
        except RuntimeError as error:
            with open(f"{path}.error", "w") as opened:
                opened.write(str(error))
        else:
            np.savez(f"{path}.out.npz", **dict(zip(names["outputs"], results, strict=True)))
    ours = {"features", "models", "serving_signatures", "pipeline", "tensorflow"}
    if ours & set(sys.modules):
        raise RuntimeError(f"imported {ours & set(sys.modules)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
