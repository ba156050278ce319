"""A development server: `python -m pipeline.serve_local --saved_model DIR --port N`.

It speaks TF Serving's gRPC API (PredictionService and ModelService), so that a client needs no
change for the real one. It is for laptops and tests: no batching, no REST, no TLS.
"""

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from absl import flags, logging

from features.errors import UserInputError
from pipeline.local_serving import served_model, services
from pipeline.local_serving.served_model import ServedModel
from pipeline.runtime import entry_point

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string(
        "saved_model",
        None,
        "A version, or the model's folder in TF Serving's sense: versions are numbers in it.",
        required=True,
    )
    flags.DEFINE_integer("port", 8500, "Port; 0 for one that is free.", 0, 65535)
    flags.DEFINE_string("host", "localhost", "Address to listen on; 0.0.0.0 for all.")
    flags.DEFINE_string("model_name", None, "What clients call the model; the folder's name.")
    flags.DEFINE_integer("versions", 2, "The newest versions to serve.", 1)
    flags.DEFINE_list("labels", [], "label=version, such as stable=3,canary=4.")
    flags.DEFINE_integer("threads", 4, "Requests that are answered at a time.", 1)
    flags.DEFINE_float("poll_seconds", 1, "How often to look for new versions.", 0.01)
    flags.DEFINE_float("grace_seconds", 30, "After SIGTERM, how long requests may still take.", 0)


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags, check_flags=_check_flags)


def open_model(
    saved_model: str,
    model_name: str | None = None,
    versions: int = 2,
    labels: Mapping[str, int] | None = None,
) -> ServedModel:
    """Loads the versions there are.

    Args:
      saved_model: a version's folder, or the model's.
      model_name: what clients call it; None for the name of the model's folder.
      versions: the newest to serve.
      labels: version by label.

    Raises:
      UserInputError: there is nothing that can be served.
    """
    folder = os.path.abspath(saved_model)
    model = ServedModel(
        model_name or os.path.basename(_model_folder(folder)), _finder(folder), versions, labels
    )
    model.refresh()
    if not model.versions:
        errors = [f" Version {one.version}: {one.error}." for one in model.states() if one.error]
        raise UserInputError(
            f"--saved_model {saved_model!r} has nothing to serve: expected saved_model.pb in it, "
            f"or folders whose names are numbers and which have one; `python -m pipeline.export` "
            f"writes them.{''.join(errors)}"
        )
    return model


def parse_labels(texts: Sequence[str]) -> dict[str, int]:
    """Parses the values of `--labels label=version,...`.

    Raises:
      UserInputError: a value is not `label=number`, or a label appears twice.
    """
    labels: dict[str, int] = {}
    for text in texts:
        label, _, version = text.partition("=")
        if not label or label in labels or not (version.isascii() and version.isdigit()):
            raise UserInputError(f"--labels {text!r} must be label=version, each label once.")
        labels[label] = int(version)
    return labels


def _is_version(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "saved_model.pb"))


def _model_folder(folder: str) -> str:
    return os.path.dirname(folder) if _is_version(folder) else folder


def _finder(folder: str) -> Callable[[], Mapping[int, str]]:
    """Returns a function that finds the versions: one for good, or those that are in the folder."""
    if not _is_version(folder):
        return lambda: served_model.version_folders(folder)
    name = os.path.basename(folder)
    version = int(name) if name.isascii() and name.isdigit() else 1
    return lambda: {version: folder}


def _check_flags(arguments: Sequence[str]) -> None:
    del arguments
    parse_labels(_FLAGS.labels)


def _main(arguments: Sequence[str]) -> None:
    del arguments
    labels = parse_labels(_FLAGS.labels)
    model = open_model(_FLAGS.saved_model, _FLAGS.model_name, _FLAGS.versions, labels)
    server = services.grpc_server(model, _FLAGS.threads)
    address = f"{_FLAGS.host}:{_FLAGS.port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise UserInputError(
            f"Cannot listen on {address}, is another server there? Give another --port, or 0 for "
            "one that is free."
        ) from error
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.start()
    logging.info("Model %s on %s:%d; SIGTERM ends it", model.name, _FLAGS.host, port)
    while not stopped.wait(_FLAGS.poll_seconds):
        model.refresh()
    logging.info("Answering what has begun, then ending")
    server.stop(_FLAGS.grace_seconds).wait()
    model.close()


if __name__ == "__main__":
    main()
