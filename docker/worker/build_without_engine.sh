#!/bin/sh
# Builds the worker image where there is neither a Docker engine nor a registry of images: buildah
# builds the Dockerfile as it stands, on base images that are made here. Usage, as root, from the
# repository root:
#
#     sh docker/worker/build_without_engine.sh [TAG | --check]
#
# --check builds nothing, and fails where something is missing that a build needs.
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

# Runs "$2 FOLDER" to fill the root of an image that is called $1, in a shell of its own.
make_image() (
    container=$(buildah from scratch)
    # Else a build that failed would leave its files in buildah's storage.
    trap 'buildah rm "$container" >/dev/null' EXIT
    "$2" "$(buildah mount "$container")"
    buildah commit --quiet "$container" "$1" >/dev/null
)

# A Debian with Python and certificates, as python:3.11-slim-bookworm is one.
fill_python() {
    # In memory: dpkg waits for the disk after every file.
    memory=$(mktemp -d)
    mount -t tmpfs -o size=1g tmpfs "$memory"
    # debootstrap does not follow python3.11-venv's need of a package that others provide.
    debootstrap --variant=minbase \
        --include=python3.11,python3.11-venv,python3-distutils,python-is-python3,ca-certificates \
        bookworm "$memory" >"$memory.log" || {
        umount "$memory"
        fail "debootstrap has failed, see $memory.log"
    }
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

# Go's own place, where a shell that CI starts does not look.
PATH=$PATH:/usr/local/go/bin
need buildah "As root: apt-get install --no-install-recommends buildah debootstrap"
[ "$(id -u)" = 0 ] || fail "run as root, which buildah's chroot isolation and debootstrap need"

python=${PYTHON_IMAGE:-localhost/dmf-python:3.11-bookworm}
harness=${BEAM_IMAGE:-localhost/dmf-beam-harness:$beam}
[ -n "${PYTHON_IMAGE:-}" ] || known "$python" || make_python=1
[ -n "${BEAM_IMAGE:-}" ] || known "$harness" || make_harness=1
[ -z "${make_python:-}" ] || need debootstrap "As root: apt-get install debootstrap"
[ -z "${make_harness:-}" ] || need go "It compiles Beam's harness, and fetches the version it needs"
[ "$tag" != --check ] || exit 0

# Both at once: the one waits for the network while the other one computes.
if [ -n "${make_python:-}" ]; then
    say "making $python by debootstrap"
    make_image "$python" fill_python &
    making=$!
fi
if [ -n "${make_harness:-}" ]; then
    say "making $harness from Beam's Go module"
    make_image "$harness" fill_beam
fi
[ -z "${making:-}" ] || wait "$making"

say "building $tag of $python and $harness"
# The certificates are this machine's, for a network that has its own; they stay out of the image.
# Docker's format knows health checks.
buildah build --isolation chroot --layers --format docker \
    --volume /etc/ssl/certs:/etc/ssl/certs:ro \
    --build-arg PYTHON_IMAGE="$python" --build-arg BEAM_IMAGE="$harness" \
    --file docker/worker/Dockerfile --ignorefile docker/worker/Dockerfile.dockerignore --tag "$tag" .
