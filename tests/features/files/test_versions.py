"""Pointers to versions: what is published, what is not, and what is no pointer."""

import pytest

from features.errors import UserInputError
from features.files import versions
from features.files.published_folder import published_folder


@pytest.fixture
def folder(tmp_path):
    for number in (1, 2):
        (tmp_path / "versions" / f"{number:06d}").mkdir(parents=True)
    versions.publish(str(tmp_path), 2)
    return tmp_path


@pytest.mark.parametrize("text", ["1", "000001", " 1\n", "1\r\n"])
def test_a_pointer_is_a_number_as_people_write_it(folder, text):
    (folder / "CURRENT").write_text(text)
    assert published_folder(str(folder)) == str(folder / "versions" / "000001")


@pytest.mark.parametrize("text", ["", "0", "-1", "1.0", "²", "٢", "0x1", "9" * 5000, "1 2", "\0"])
def test_a_pointer_without_a_number_is_refused(folder, text):
    (folder / "CURRENT").write_text(text)
    for read in (versions.current, versions.published, published_folder):
        with pytest.raises(UserInputError, match=r"CURRENT' holds .*, such as 1, 2\. Write the n"):
            read(str(folder))


def test_a_pointer_to_no_version_is_refused(folder):
    (folder / "CURRENT").write_text("7")
    with pytest.raises(
        UserInputError, match=r"holds 7, but '.*000007' is missing: .* such as 1, 2"
    ):
        published_folder(str(folder))


def test_a_pointer_that_is_no_file_or_was_removed_is_refused(folder):
    (folder / "CURRENT").unlink()
    with pytest.raises(UserInputError, match="CURRENT' is missing, expected"):
        versions.current(str(folder))
    (folder / "CURRENT").mkdir()
    with pytest.raises(UserInputError, match="CURRENT' is no file, expected"):
        versions.current(str(folder))


def test_a_first_version_that_a_killed_job_left_is_not_read(folder):
    (folder / "CURRENT").unlink()
    (folder / "versions" / "000002").rmdir()
    assert versions.current(str(folder)) is None
    with pytest.raises(UserInputError, match=r"no published version.* Run it again"):
        published_folder(str(folder))


def test_other_folders_are_read_as_they_are(tmp_path):
    assert published_folder(str(tmp_path)) == str(tmp_path)
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "notes").mkdir()
    assert published_folder(str(tmp_path)) == str(tmp_path)
    assert versions.numbers(str(tmp_path)) == []
    (tmp_path / "versions" / "notes").rmdir()
    (tmp_path / "versions").rmdir()
    (tmp_path / "versions").write_text("a table may have any name")
    assert published_folder(str(tmp_path)) == str(tmp_path)


def test_numbers_are_those_of_folders_and_of_manifests(folder):
    (folder / "versions" / "000007.json").write_text("{}")
    (folder / "versions" / "000008.json.bak").write_text("{}")
    (folder / "versions" / "12").mkdir()
    assert versions.numbers(str(folder)) == [1, 2, 7]
