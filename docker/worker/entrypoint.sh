#!/bin/sh
# A runner calls the image with the SDK harness's flags alone; a person names a command.
set -eu

case "${1:-}" in
    -*) exec "${BEAM_BOOT:-/opt/apache/beam/boot}" "$@" ;;
    "") echo "entrypoint: name a command (dmf-train ...) or the SDK harness's flags" >&2; exit 64 ;;
    *) exec "$@" ;;
esac
