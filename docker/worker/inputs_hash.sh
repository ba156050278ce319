#!/bin/sh
# Prints a hash of what the image is made of besides this project's own code. `make test-image`
# keeps it in tested_inputs.txt, and CI builds and tests the image when it has another one. Usage,
# from the repository root: sh docker/worker/inputs_hash.sh
set -eu

cat docker/worker/Dockerfile docker/worker/Dockerfile.dockerignore docker/worker/*.sh \
    docker/worker/*.py setup.py requirements/bootstrap.lock requirements/runtime.lock | sha256sum | cut -c 1-64
