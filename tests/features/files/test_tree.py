"""All files below a folder, with what a walk of a disk may meet."""

import os

import pytest

from features.errors import UserInputError
from features.files import storage
from features.files.tree import files_below


@pytest.mark.parametrize("root", ["local", "file", "s3"])
def test_sizes_by_name(root, tmp_path, request):
    if root == "s3":
        folder = f"s3://{request.getfixturevalue('s3').bucket()}"
    else:
        folder = f"{'file://' if root == 'file' else ''}{tmp_path}"
    sizes = {"a": 1, "x/b c": 0, "x/y=1%20/ü": 7}
    for name, size in sizes.items():
        storage.write_bytes(storage.join(folder, name), b"1" * size)
    assert files_below(folder) == sizes == files_below(f"{folder}/")
    assert files_below(f"{folder}/x") == {"b c": 0, "y=1%20/ü": 7}


def test_relative_folders(tmp_path, monkeypatch):
    storage.write_bytes(str(tmp_path / "x/a"), b"1")
    monkeypatch.chdir(tmp_path)
    assert files_below(".") == {"x/a": 1}
    assert files_below("x") == files_below("./x") == {"a": 1}


def test_links(tmp_path):
    storage.write_bytes(str(tmp_path / "x/y/a"), b"1")
    os.symlink("../../x", tmp_path / "x/y/back")
    os.symlink(tmp_path, tmp_path / "x/further_back")
    os.symlink("x/y", tmp_path / "other")
    os.symlink("nothing", tmp_path / "dangling")
    os.mkfifo(tmp_path / "pipe")
    assert files_below(str(tmp_path)) == {
        "x/y/a": 1,
        "other/a": 1,
        "dangling": None,
        "pipe": None,
    }


def test_what_cannot_be_listed(tmp_path):
    with pytest.raises(UserInputError, match="absent' cannot be listed"):
        files_below(str(tmp_path / "absent"))


def test_links_that_lead_back_through_each_other(tmp_path):
    for name, other in (("x", "y"), ("y", "z"), ("z", "x")):
        storage.write_bytes(str(tmp_path / name / "a"), b"1")
        os.symlink(f"../{other}", tmp_path / name / "one")
        os.symlink(f"../{other}", tmp_path / name / "two")
    # Each way that visits no folder twice: to x, y and z alone, over one link and over two.
    assert len(files_below(str(tmp_path))) == 3 * (1 + 2 + 4)
    assert len(files_below(f"{tmp_path}/x/")) == 1 + 2 + 4
