#!/bin/sh
# Builds the worker image where there is neither a Docker engine nor a registry of images: buildah
# builds the Dockerfile as it stands, on base images that are made here. Usage, as root, from the
# repository root:
#
#     sh docker/worker/build_without_engine.sh [TAG]
#
# PYTHON_IMAGE and BEAM_IMAGE, where they are set, are taken instead of those made here. What was
# made once is found again in buildah's storage, the layer of the lock too.
set -eu

tag=${1:-dmf-worker}
beam=$(sed -n 's/^apache-beam==\([0-9.]*\).*/\1/p' requirements/runtime.lock)

say() { echo "image: $*"; }
fail() {
    echo "image: error: $*" >&2
    exit 69
}
need() { # COMMAND, how to get it
    command -v "$1" >/dev/null || fail "no $1 in PATH, which builds the image without Docker. $2"
}
known() { buildah inspect --type image "$1" >/dev/null 2>&1; }

# Runs "$2 FOLDER" to fill the root of an image that is called $1.
make_image() {
    container=$(buildah from scratch)
    # Without this, a build that failed would leave its files in buildah's storage.
    trap 'buildah rm "$container" >/dev/null' EXIT
    "$2" "$(buildah mount "$container")"
    buildah commit --quiet "$container" "$1" >/dev/null
    buildah rm "$container" >/dev/null
    trap - EXIT
}

# A Debian with Python and certificates, as python:3.11-slim-bookworm is one.
fill_python() {
    # In memory: dpkg waits for the disk after every file.
    memory=$(mktemp -d)
    mount -t tmpfs -o size=1g tmpfs "$memory"
    # debootstrap does not follow python3.11-venv's need of a package that others provide.
    debootstrap --variant=minbase \
        --include=python3.11,python3.11-venv,python3-distutils,python-is-python3,ca-certificates \
        bookworm "$memory" >"$memory.log" || fail "debootstrap has failed, see $memory.log"
    # As in Debian's own images for containers.
    rm -rf "$memory"/var/cache/apt/* "$memory"/var/lib/apt/lists/* "$memory"/var/log/* \
        "$memory"/usr/share/man "$memory"/usr/share/info "$memory"/usr/share/locale
    find "$memory/usr/share/doc" -type f ! -name copyright -delete
    cp -a "$memory/." "$1/"
    umount "$memory"
    rm -r "$memory" "$memory.log"
}

# Beam's harness, from its Go module, at the place that Beam's image has it.
fill_beam() {
    mkdir -p "$1/opt/apache/beam"
    # Without C, as Beam's own is built: it runs in any image.
    CGO_ENABLED=0 GOBIN="$1/opt/apache/beam" go install -trimpath -ldflags='-s -w' \
        "github.com/apache/beam/sdks/v2/python/container@v$beam"
    mv "$1/opt/apache/beam/container" "$1/opt/apache/beam/boot"
    cp "$(go env GOMODCACHE)/github.com/apache/beam/sdks/v2@v$beam/LICENSE" "$1/opt/apache/beam/"
}

need buildah "As root: apt-get install --no-install-recommends buildah debootstrap"
[ "$(id -u)" = 0 ] || fail "run as root, which buildah's chroot isolation and debootstrap need"

if [ -z "${PYTHON_IMAGE:-}" ]; then
    PYTHON_IMAGE=localhost/dmf-python:3.11-bookworm
    if ! known "$PYTHON_IMAGE"; then
        need debootstrap "As root: apt-get install --no-install-recommends debootstrap"
        say "making $PYTHON_IMAGE by debootstrap"
        make_image "$PYTHON_IMAGE" fill_python
    fi
fi
if [ -z "${BEAM_IMAGE:-}" ]; then
    BEAM_IMAGE=localhost/dmf-beam-harness:$beam
    if ! known "$BEAM_IMAGE"; then
        need go "It compiles Beam's harness: version 1.21 or later, which fetches the one it needs"
        say "making $BEAM_IMAGE from its Go module"
        make_image "$BEAM_IMAGE" fill_beam
    fi
fi

say "building $tag of $PYTHON_IMAGE and $BEAM_IMAGE"
# The certificates are this machine's, for a network that has its own; they stay out of the image.
# Docker's format knows health checks.
buildah build --isolation chroot --layers --format docker --quiet \
    --volume /etc/ssl/certs:/etc/ssl/certs:ro \
    --build-arg PYTHON_IMAGE="$PYTHON_IMAGE" --build-arg BEAM_IMAGE="$BEAM_IMAGE" \
    --file docker/worker/Dockerfile --ignorefile docker/worker/Dockerfile.dockerignore --tag "$tag" .
