#!/bin/sh
# Compiles the locks from setup.py. Usage, from the repository root: requirements/lock.sh UV [uv's arguments]
#
# dev.lock      the virtual environment of every make target: run time and all extras
# runtime.lock  the worker image: no extras but `lineage`, a subset of dev.lock, version for version
# latest.lock   `make test-latest`: dev.lock but for what latest.overrides says
# airflow.lock  `make test-airflow`: Airflow alone, see airflow.in
# bootstrap.lock  pip, setuptools and wheel, installed first
#
# The present locks are uv's preferences: it changes what setup.py forces and no more. Add
# `--upgrade` to move everything.
set -eu

uv=$1
shift

compile() {
    output=$1
    shift
    # Without a header and without index or link lines a lock names no host and no path. The
    # platform is stated so that the machine that runs this leaves no trace either.
    "$uv" pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
        --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
        --output-file "requirements/$output" "$@" >/dev/null
}

compile dev.lock setup.py --all-extras "$@"
compile runtime.lock setup.py --extra lineage --constraints requirements/dev.lock "$@"
compile latest.lock setup.py --all-extras \
    --overrides requirements/latest.overrides "$@"
compile airflow.lock requirements/airflow.in "$@"
compile bootstrap.lock requirements/bootstrap.in --constraints requirements/dev.lock "$@"
