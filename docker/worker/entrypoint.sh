#!/bin/sh
# A runner calls the image with the SDK harness's flags alone; a person names a command.
set -eu

case "${1:-}" in
    # The harness writes pipeline_options.json into the current folder, and /data may be read-only.
    -*) cd /tmp; exec "${BEAM_BOOT:-/opt/apache/beam/boot}" "$@" ;;
    "") echo "entrypoint: name a command (dmf-train ...) or the SDK harness's flags" >&2; exit 64 ;;
    *) exec "$@" ;;
esac
