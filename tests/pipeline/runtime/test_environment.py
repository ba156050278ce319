"""What a run records of its environment."""

from importlib import metadata

from pipeline.runtime import environment


def test_a_package_under_another_name_has_no_version(monkeypatch):
    def version(name):
        if name == "tensorflow":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    found = environment.versions()
    assert "tensorflow" not in found and found["numpy"] == "1.0" and "python" in found
