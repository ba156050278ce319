"""A version is loaded from the files that were exported, or not at all."""

import shutil

import pytest

from features.errors import UserInputError
from serving_signatures.versions.loaded_version import LoadedVersion


@pytest.mark.parametrize("file", ["saved_model.pb", "variables/variables.data-00000-of-00001"])
@pytest.mark.guarantee("damaged", "check_skew")
def test_a_changed_byte_is_refused_by_the_files_name(with_tables, tmp_path, file):
    folder = tmp_path / "1"
    shutil.copytree(with_tables.exported.folder, folder)
    LoadedVersion.open(str(folder))
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / file).write_bytes(data)
    with pytest.raises(UserInputError, match=f"{file} has another sha256"):
        LoadedVersion.open(str(folder))
