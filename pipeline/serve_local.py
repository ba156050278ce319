"""Serves a model on this machine, for development, by TF Serving's gRPC API.

It has PredictionService and ModelService, so a client needs no change for the real server; no
batching, no REST. It serves the newest versions of the folder, new ones as they appear. It has
gRPC's health service, which says SERVING once each label's version is loaded.

Usual commands:

    python -m pipeline.serve_local --saved_model serving/dmf --port 8500
    python -m pipeline.serve_local --saved_model serving/dmf --port 8500 --labels stable=1

SIGTERM drains and ends it. It prints the port when it is ready.
"""

from collections.abc import Sequence

from absl import flags

from pipeline.local_serving.log_flags import define_log_flags, opened_log
from pipeline.local_serving.tls_flags import define_tls_flags, tls_credentials
from pipeline.local_serving.version_labels import parse_labels
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Model"):
        flags.DEFINE_string(
            "saved_model",
            None,
            "`FOLDER` The model, whose versions are numbered folders; or one version.",
            required=True,
        )
        flags.DEFINE_string(
            "model_name", None, "`NAME` What clients call the model. Default: the folder's name."
        )
        flags.DEFINE_integer("versions", 2, "`COUNT` How many of the newest versions to serve.", 1)
        flags.DEFINE_list(
            "labels", [], "`LABEL=VERSION,...` Labels of versions, such as stable=3,canary=4."
        )
        flags.DEFINE_float(
            "poll_seconds", 1, "`SECONDS` Time between two looks for new versions.", 0.01
        )
    with flag_group("Address"):
        flags.DEFINE_integer(
            "port", 8500, "`PORT` Port to listen on; 0 takes a free one.", 0, 65535
        )
        flags.DEFINE_string("host", "localhost", "`ADDRESS` Address to listen on; 0.0.0.0 for all.")
    with flag_group("Load"):
        flags.DEFINE_integer("threads", 4, "`COUNT` Requests that run at the same time.", 1)
        flags.DEFINE_float(
            "grace_seconds", 30, "`SECONDS` Time that requests may still take after SIGTERM.", 0
        )
    define_tls_flags()
    define_log_flags()


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags, check_flags=lambda _: parse_labels(_FLAGS.labels))


def _main(arguments: Sequence[str]) -> None:
    from pipeline.local_serving.model_folder import open_model
    from pipeline.local_serving.services import serve

    labels, address = parse_labels(_FLAGS.labels), f"{_FLAGS.host}:{_FLAGS.port}"
    credentials = tls_credentials()
    with opened_log() as log:
        model = open_model(_FLAGS.saved_model, _FLAGS.model_name, _FLAGS.versions, labels)
        times = _FLAGS.poll_seconds, _FLAGS.grace_seconds
        serve(model, address, _FLAGS.threads, *times, log, credentials)


if __name__ == "__main__":
    main()
