"""Building the library: what is missing is named, and the name says what it was built from."""

import os

import pytest

from features.errors import UserInputError
from kernels import build, library


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Returns a function that makes a compiler of its version; it compiles nothing."""

    def make(version, number):
        program = tmp_path / "compiler"
        program.write_text(
            "#!/bin/sh\n"
            f'[ "$1" = --version ] && echo "{version}" && exit\n'
            f"[ $1 = -dumpversion ] && echo {number} && exit\n"
            'echo "op.cc:1: error: no such type" >&2; exit 1\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("CXX", str(program))

    return make


GCC = "g++ (Debian)\nCopyright Free Software Foundation, Inc."


def test_a_machine_without_a_compiler_is_told_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UserInputError, match=r"no C.. compiler.*apt-get install"):
        build.build(str(tmp_path / "library.so"))
    assert not os.listdir(tmp_path)


def test_an_old_compiler_is_refused(compiler, tmp_path):
    compiler(GCC, 10)
    with pytest.raises(UserInputError, match="is GCC 10, expected 11 or later"):
        build.build(str(tmp_path / "library.so"))


def test_another_compiler_is_refused(compiler, tmp_path):
    compiler("clang version 17", 17)
    with pytest.raises(UserInputError, match=r"is not GCC: .*clang version 17"):
        build.build(str(tmp_path / "library.so"))


def test_missing_headers_are_named(compiler, tmp_path, monkeypatch):
    compiler(GCC, 12)
    monkeypatch.setattr(build.tf.sysconfig, "get_include", lambda: str(tmp_path))
    with pytest.raises(UserInputError, match="TensorFlow's headers are not there: expected"):
        build.build(str(tmp_path / "library.so"))


def test_a_source_that_does_not_compile_is_shown(compiler, tmp_path):
    compiler(GCC, 12)
    with pytest.raises(
        UserInputError, match=r"bucket_softmax.cc .* failed:\nop.cc:1: error: no such"
    ):
        build.build(str(tmp_path / "lib" / "library.so"))
    assert not os.listdir(tmp_path / "lib")


def test_the_command_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(library, "FOLDER", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(SystemExit, match=r"make kernels: There is no C\+\+ compiler"):
        build.main()


def test_the_command_builds_nothing_that_is_there(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(library, "FOLDER", str(tmp_path))
    with open(library.path(), "w", encoding="utf-8"):
        build.main()
    assert capsys.readouterr().out == f"The kernels are built already: {library.path()}\n"


def test_the_librarys_name_changes_with_its_sources(tmp_path, monkeypatch):
    before = library.path()
    (tmp_path / "op.cc").write_text("int main() {}")
    monkeypatch.setattr(library, "SOURCES", str(tmp_path))
    first = library.path()
    (tmp_path / "op.cc").write_text("int main() { return 1; }")
    assert len({before, first, library.path()}) == 3
