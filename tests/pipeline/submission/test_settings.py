"""Settings: what is wrong is named before anything runs; equal submissions have one name."""

import pytest

from features.errors import UserInputError
from pipeline.runtime import python_config
from pipeline.submission.settings import Settings, Volume
from tests.pipeline.submission.submissions import FLAGS, submission


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("cpu=4", "cpu: Unexpected keyword"),
        ("cpus=0", "cpus: Input should be greater than or equal to 0.01"),
        ("workers=none", "workers"),
        ("name=Big_Job", "name"),
        ("name=" + "a" * 53, "name.*52"),
        ("port=80", "port"),
        ('volumes=["data"]', "volumes.0.*SOURCE:/MOUNT"),
        ('volumes=["data:rel"]', "volumes.0.*SOURCE:/MOUNT"),
        ('volumes=["build/x:/data"]', "volumes.0.*from the root"),
        ('volumes=["a:/data","b:/data/"]', "mounted once"),
        ('environment={"TF_CONFIG": "{}"}', "TF_CONFIG is made from `workers`"),
        ('environment={"A B": "1"}', "environment"),
        ("kubernetes_version=1.30", "1.31 or newer"),
        ("kubernetes_version=latest", "kubernetes_version"),
        ("namespace=a.b", "namespace"),
    ],
)
def test_wrong_setting_is_named(override, expected):
    with pytest.raises(UserInputError, match=expected):
        python_config.validate(Settings, python_config.read(None, [override]), "(defaults)")


def test_file_and_overrides(tmp_path):
    path = tmp_path / "cluster.py"
    path.write_text("def get_config():\n    return {'cpus': 8, 'volumes': ['ctr:/data:ro']}\n")
    values = python_config.read(str(path), ["memory_gib=32", "kubernetes_version=1.34"])
    settings = python_config.validate(Settings, values, str(path))
    assert (settings.cpus, settings.memory_gib, settings.kubernetes_version) == (8, 32, "1.34")
    assert settings.volumes == (Volume("ctr", "/data", read_only=True),)


@pytest.mark.parametrize("returned", ["3", "'text'", "[1]", "None"])
def test_a_file_that_returns_no_dictionary_is_named(tmp_path, returned):
    path = tmp_path / "cluster.py"
    path.write_text(f"def get_config():\n    return {returned}\n")
    with pytest.raises(UserInputError, match="expected a nested dictionary"):
        python_config.read(str(path))


@pytest.mark.parametrize("text", ["{[]: 1}", "(" * 500, "-" * 100_000 + "1", "\0", "{}.x"])
def test_a_value_that_is_no_literal_is_text(text):
    assert python_config.read(None, [f"image={text}"]) == {"image": text}


def test_the_same_submission_has_the_same_name():
    first = submission()
    assert first.name == submission().name
    others = [
        submission(flags=(*FLAGS, "--set=model.heads=4")),
        submission(cpus=3),
        submission("evaluate"),
    ]
    assert len({first.name, *(one.name for one in others)}) == 4
    assert submission(name="mine").name == "mine"


@pytest.mark.parametrize("job", ["build_examples", "evaluate", "export"])
def test_only_training_has_several_workers(job):
    with pytest.raises(UserInputError, match=f"workers=2 with --job {job}"):
        submission(job, workers=2)


def test_a_path_of_this_machine_is_refused(tmp_path):
    (tmp_path / "examples").mkdir()
    inside = str(tmp_path / "examples")
    for flags in (("--examples", inside), (f"--embeddings=text={inside}",)):
        with pytest.raises(UserInputError, match="container has /data"):
            submission(flags=flags).check_paths()
        submission(flags=flags, volumes=[f"{tmp_path}:{tmp_path}"]).check_paths()
    submission(flags=("--examples=/data/examples", "s3://bucket/x")).check_paths()
    with pytest.raises(UserInputError, match="path of this machine"):
        submission(flags=("--config=pipeline/configs/demo.py",)).check_paths()
