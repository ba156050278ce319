"""A development server: `python -m pipeline.serve_local --saved_model DIR --port N`.

It speaks TF Serving's gRPC API (PredictionService and ModelService), so a client needs no change
for the real server. It is for laptops and tests: no batching, no REST, no TLS.
"""

from collections.abc import Sequence

from absl import flags

from pipeline.local_serving.model_folder import open_model, parse_labels
from pipeline.local_serving.services import serve
from pipeline.runtime import entry_point

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string(
        "saved_model",
        None,
        "Folder of one version, or of the model, whose versions are numbered folders.",
        required=True,
    )
    flags.DEFINE_integer("port", 8500, "Port; 0 for one that is free.", 0, 65535)
    flags.DEFINE_string("host", "localhost", "Address to listen on; 0.0.0.0 for all.")
    flags.DEFINE_string("model_name", None, "The model's name; by default the folder's.")
    flags.DEFINE_integer("versions", 2, "How many of the newest versions to serve.", 1)
    flags.DEFINE_list("labels", [], "label=version, such as stable=3,canary=4.")
    flags.DEFINE_integer("threads", 4, "Requests that run at the same time.", 1)
    flags.DEFINE_float("poll_seconds", 1, "How often to look for new versions.", 0.01)
    flags.DEFINE_float("grace_seconds", 30, "After SIGTERM, how long requests may still take.", 0)


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags, check_flags=lambda _: parse_labels(_FLAGS.labels))


def _main(arguments: Sequence[str]) -> None:
    labels, address = parse_labels(_FLAGS.labels), f"{_FLAGS.host}:{_FLAGS.port}"
    model = open_model(_FLAGS.saved_model, _FLAGS.model_name, _FLAGS.versions, labels)
    serve(model, address, _FLAGS.threads, _FLAGS.poll_seconds, _FLAGS.grace_seconds)


if __name__ == "__main__":
    main()
