"""Every kernel with random inputs: compared for a minute, then under sanitizers of GCC."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels import build
from tests.conftest import REPOSITORY
from tests.kernels import fuzz

_SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g")


@pytest.mark.slow(seconds=60)
def test_a_minute_of_random_inputs(kernels):
    assert fuzz.run(60) > 20


@pytest.mark.slow(seconds=150)
@pytest.mark.parametrize("instruction_set", ["best", "avx2", "portable"])
def test_sanitizers_find_nothing(kernels, tmp_path_factory, instruction_set):
    output = tmp_path_factory.getbasetemp() / "sanitized.so"
    if not output.exists():
        build.build(str(output), extra=_SANITIZERS)
    done = fuzzed(output, instruction_set)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "rounds" in done.stdout


def fuzzed(output, instruction_set="best", seconds="20"):
    """Runs the fuzzer on a library with sanitizers."""
    runtime = [
        subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True).stdout
        for name in ("libasan.so", "libubsan.so")
    ]
    return subprocess.run(
        [sys.executable, "-m", "tests.kernels.fuzz", seconds, str(output)],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "LD_PRELOAD": " ".join(one.strip() for one in runtime),
            # Python and TensorFlow free little at their end.
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "DMF_KERNELS_ISA": instruction_set,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow(seconds=60)
def test_sanitizers_find_a_planted_fault(kernels, tmp_path, monkeypatch):
    # Each window is read 4096 bytes too late.
    sources = tmp_path / "cc"
    sources.mkdir()
    for file in os.listdir(build.library.SOURCES):
        text = Path(build.library.SOURCES, file).read_text()
        if file == "newest_codes.cc":
            assert "first[row / rows], kept)" in text
            text = text.replace("first[row / rows], kept)", "first[row / rows] + 4096, kept)")
        (sources / file).write_text(text)
    monkeypatch.setattr(build.library, "SOURCES", str(sources))
    output = build.build(str(tmp_path / "faulty.so"), extra=_SANITIZERS)
    done = fuzzed(output, seconds="1")
    assert done.returncode != 0
    assert "ERROR: AddressSanitizer" in done.stderr
