"""The doctor finds each planted fault with its remedy, and no fault in good facts."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.checkup.child_process import Loading
from pipeline.checkup.examination import Outcome, examine
from pipeline.checkup.facts import Pins
from pipeline.checkup.machine import Folder
from tests.pipeline.checkup import healthy
from tests.pipeline.checkup.healthy import FACTS, GIB


def installed(**versions: str | None) -> dict:
    """Facts with other versions; None takes a distribution away."""
    names = healthy.INSTALLED | {name.replace("_", "-"): one for name, one in versions.items()}
    return {"installed": {name: one for name, one in names.items() if one is not None}}


def loading(name: str, failure: str, **values: object) -> dict:
    return {"loading": {**FACTS.loading, name: Loading(values, failure)}}


def machine(**values: object) -> dict:
    return {"machine": dataclasses.replace(FACTS.machine, **values)}


def folder(failure: str = "", free: int = 100 * GIB) -> dict:
    return {"folders": [Folder("/data/out", "/data", failure, free)]}


UNDEFINED_SYMBOL = "NotImplementedError: unable to open file: libtensorflow_io.so: undefined symbol"

# The fault; then check, status, a part of the message and a part of what to do.
FAULTS = {
    "python 3.12": (
        {"python": (3, 12, 1)},
        ("python", "problem", "3.12.1", "make PYTHON=python3.11 setup"),
    ),
    "tensorflow crashes": (
        loading("tensorflow", "killed by SIGSEGV"),
        ("tensorflow", "problem", "killed by SIGSEGV", "requirements/dev.lock"),
    ),
    "processor without AVX": (
        loading("tensorflow", "killed by SIGILL"),
        ("tensorflow", "problem", "SIGILL", "AVX"),
    ),
    "tf-keras of another TensorFlow": (
        installed(tensorflow="2.17.0"),
        (
            "tensorflow",
            "problem",
            "tf-keras 2.16.0 wants <2.17",
            "pip install 'tensorflow==2.16.2'",
        ),
    ),
    "keras 3": (
        loading("tensorflow", "ImportError: Keras 2 needed", tensorflow="2.16.2", keras="keras"),
        ("keras", "problem", "tf.keras is keras (Keras 3)", "TF_USE_LEGACY_KERAS=1"),
    ),
    "tf-keras absent": (
        installed(tf_keras=None),
        ("keras", "problem", "tf-keras is not installed", "pip install 'tf-keras"),
    ),
    "keras 3 selected for other programs": (
        {"environment": {"TF_USE_LEGACY_KERAS": "0"}},
        ("keras", "warning", "TF_USE_LEGACY_KERAS=0", "unset TF_USE_LEGACY_KERAS"),
    ),
    "tensorflow-io of another TensorFlow": (
        installed(tensorflow_io="0.36.0"),
        ("tensorflow-io", "problem", "compiled for TensorFlow 2.15, installed is 2.16.2", "0.37.1"),
    ),
    "tensorflow-io's libraries do not load": (
        loading("tensorflow_io", UNDEFINED_SYMBOL),
        ("tensorflow-io", "problem", "undefined symbol", "requirements/dev.lock"),
    ),
    "tensorflow-io absent": (
        installed(tensorflow_io=None),
        ("tensorflow-io", "warning", "no s3://", "pip install tensorflow-io==0.37.1"),
    ),
    "protobuf 5": (
        installed(protobuf="5.29.6"),
        ("protobuf", "problem", "5.29.6, but tensorflow 2.16.2 wants <5.0.0", "'protobuf==4.25.*'"),
    ),
    "generated messages do not load": (
        loading("serving_api", "TypeError: Descriptors cannot be created directly"),
        ("protobuf", "problem", "Descriptors cannot", "'protobuf==4.25.*'"),
    ),
    "protobuf in Python": (
        loading("serving_api", "", protobuf="python"),
        ("protobuf", "warning", "pure Python", "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"),
    ),
    "numpy 2": (
        installed(numpy="2.4.6"),
        ("numpy", "problem", "tensorflow 2.16.2 wants <2.0.0", "pip install 'numpy"),
    ),
    "pyarrow beyond Beam's bounds": (
        installed(pyarrow="26.0.1"),
        ("pyarrow", "problem", "apache-beam 2.77.0 wants <26.0.0", "'pyarrow==25.*'"),
    ),
    "pyarrow crashes": (
        loading("beam", "killed by SIGABRT"),
        ("pyarrow", "problem", "killed by SIGABRT", "'pyarrow==25.*'"),
    ),
    "Beam does not load": (
        loading("beam", "ImportError: dill", pyarrow=True),
        ("apache-beam", "problem", "ImportError: dill", "pip install 'apache-beam"),
    ),
    "another harness": (
        {"beam_image": "2.62.0"},
        ("apache-beam", "problem", "harness of 2.62.0", "SDK image of 2.77.0"),
    ),
    "TensorFlow Serving too old": (
        {"serving_image": "2.9.3"},
        ("serving", "problem", "Serving 2.9.3, which is older", "tensorflow/serving:2.16"),
    ),
    "serving API of another TensorFlow": (
        installed(tensorflow_serving_api="2.18.0"),
        ("serving", "warning", "another TensorFlow", "'tensorflow-serving-api==2.16.*'"),
    ),
    "a pin is not kept": (
        {"pins": Pins("setup.py", {"pyarrow": "==24.*", "duckdb": ">=1"})},
        ("pins", "problem", "pyarrow 25.0.1 is not ==24.*, duckdb is not installed", "pip install"),
    ),
    "not as locked": (
        {"pins": dataclasses.replace(FACTS.pins, locked={"numpy": "1.26.3"})},
        ("lock", "warning", "numpy 1.26.4 (locked 1.26.3)", "-r requirements/dev.lock"),
    ),
    "little memory": (
        machine(memory_limit=2 * GIB, memory_free=GIB // 2),
        ("memory", "problem", "0.5 GiB free, limit 2.0 GiB of 16.0 GiB", "--memory"),
    ),
    "tight memory": (
        machine(memory_free=3 * GIB),
        ("memory", "warning", "3.0 GiB free, of 16.0 GiB, no limit", "raise the limit"),
    ),
    "quota below the visible CPUs": (
        machine(cpu_quota=1.5),
        ("cpus", "warning", "4 visible, quota of 1.5", "TF_NUM_INTRAOP_THREADS=1"),
    ),
    "more threads than CPUs": (
        {"environment": {"OMP_NUM_THREADS": "64"}},
        ("threads", "warning", "OMP_NUM_THREADS=64", "unset OMP_NUM_THREADS"),
    ),
    "unseen GPU": (
        machine(gpu_device=True),
        ("gpu", "warning", "does not see", "tensorflow[and-cuda]==2.16.2"),
    ),
    "a proxy before servers here": (
        {"environment": {"http_proxy": "http://u:secret@proxy:3128", "no_proxy": "localhost"}},
        ("proxy", "warning", "http_proxy: calls to servers at localhost and 1", "export no_proxy="),
    ),
    "a proxy of HTTP alone": (
        {"environment": {"HTTP_PROXY": "http://proxy:3128"}},
        ("proxy", "warning", "HTTP_PROXY: calls to servers", "localhost,127.0.0.1"),
    ),
    "a spared host that gRPC does not read": (
        {"environment": {"grpc_proxy": "http://proxy", "NO_PROXY": "localhost,127.0.0.1"}},
        ("proxy", "warning", "grpc_proxy: calls", "gRPC does not read NO_PROXY"),
    ),
    "full disk": (
        folder("No space left on device", free=0),
        ("folder", "problem", "/data/out (at /data): cannot write and rename: No space", "TMPDIR"),
    ),
    "nearly full disk": (
        folder(free=GIB // 2),
        ("folder", "problem", "0.5 GiB free", "free disk space"),
    ),
    "little disk": (
        folder(free=5 * GIB),
        ("folder", "warning", "5.0 GiB free", "free disk space"),
    ),
    "scheme without a file system": (
        {"remote_paths": {"s3://b/x": Loading({"exists": False}, "UserInputError: install")}},
        ("folder", "problem", "s3://b/x: TensorFlow cannot look at it: UserInput", "docs/clusters"),
    ),
}


def test_healthy_facts_have_no_finding() -> None:
    assert [one for one in examine(FACTS) if one.status != "ok"] == []


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_found_with_what_to_do(name: str) -> None:
    changes, (check, status, message, remedy) = FAULTS[name]
    outcomes = examine(dataclasses.replace(FACTS, **changes))
    (found,) = (one for one in outcomes if one.check == check and one.status != "ok")
    assert found.status == status
    assert message in found.message and remedy in found.remedy
    assert found.text().count("\n") == 1


def test_quota_is_fine_where_threads_keep_within_it() -> None:
    limited = {"OMP_NUM_THREADS": "2", "TF_NUM_INTRAOP_THREADS": "2"}
    facts = dataclasses.replace(FACTS, environment=limited, **machine(cpu_quota=2.0))
    assert [one for one in examine(facts) if one.status != "ok"] == []


def test_a_proxy_is_fine_where_servers_here_are_spared() -> None:
    spared = {"http_proxy": "http://proxy:3128", "no_proxy": "localhost,127.0.0.1"}
    facts = dataclasses.replace(FACTS, environment=spared)
    assert [one for one in examine(facts) if one.status != "ok"] == []


def test_nothing_at_all_is_installed() -> None:
    nothing = Loading(failure="ModuleNotFoundError: No module named 'tensorflow'")
    facts = dataclasses.replace(
        FACTS, installed={}, requirements={}, loading=dict.fromkeys(FACTS.loading, nothing)
    )
    problems = {one.check for one in examine(facts) if one.status == "problem"}
    assert problems == {
        "tensorflow", "keras", "protobuf", "numpy", "pyarrow", "apache-beam", "serving", "pins",
    }  # fmt: skip


def test_a_problem_without_a_remedy_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'disk' found a problem and received no remedy"):
        Outcome("disk", "problem", "full")


@pytest.mark.slow
def test_command_prints_one_line_per_check_and_exits_with_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.doctor", "--paths=/proc/no", f"--json={tmp_path}/d"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    outcomes = json.loads((tmp_path / "d").read_text())
    problems = {one["check"]: one for one in outcomes if one["status"] == "problem"}
    found = problems["folder"]["message"]
    assert found.startswith("/proc/no (at /proc): cannot write and rename")
    assert run.returncode == 2
    lines = [line for line in run.stdout.splitlines() if not line.lstrip().startswith("->")]
    assert [line.split()[1] for line in lines] == [one["check"] for one in outcomes]
    # The newest TensorFlow has another: TensorFlow Serving's image is older.
    output = f"{len(problems)} of 18 checks found a problem ({', '.join(problems)})"
    assert output in run.stderr
