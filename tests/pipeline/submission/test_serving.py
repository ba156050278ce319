"""What cannot be served is refused before anything is applied, and by name."""

import math

import pytest

from features.errors import UserInputError
from pipeline.runtime import python_config
from pipeline.submission.serve_settings import ServeSettings
from serving_signatures.versions import served_memory
from tests.pipeline.submission import servings
from tests.pipeline.submission.servings import IN_A_STORE, ON_A_CLAIM
from tests.serving_signatures import exports


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return servings.model(tmp_path_factory.mktemp("serving"))


def test_nothing_promoted_is_reported(tmp_path):
    exports.publish(tmp_path / "dmf")
    with pytest.raises(UserInputError, match=r"label='stable': no version has it.*models promote"):
        servings.serving(tmp_path / "dmf")
    with pytest.raises(UserInputError, match="is no folder here"):
        servings.serving(tmp_path / "dfm")


def test_a_label_that_no_version_has_is_reported(model):
    with pytest.raises(UserInputError, match=r"label='canary': .*labels are {'stable': 1}"):
        servings.serving(model, **ON_A_CLAIM, label="canary")


def test_a_configuration_that_was_changed_is_reported(tmp_path):
    path = servings.model(tmp_path)
    config = path / "models.config"
    config.write_text(config.read_text().replace("value: 1", "value: 2"))
    with pytest.raises(UserInputError, match="was changed after it was written"):
        servings.serving(path)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"volumes": []}, "at '/models/dmf', and the pods have no volume"),
        ({"volumes": ["a:/data"]}, "the pods have /data.*--volume ctr-models:/models:ro"),
        ({"volumes": ["a:/models/d"]}, "the pods have /models/d"),
        ({**IN_A_STORE, **ON_A_CLAIM}, "where a volume is mounted.*Leave one of the two out"),
    ],
)
def test_pods_have_the_folder_of_the_model_once(model, settings, expected):
    with pytest.raises(UserInputError, match=expected):
        servings.serving(model, **settings)


@pytest.mark.parametrize("path", ["models/dmf", "/", "/tmp", "/models/../x", "/a:b", "s3://b/dmf"])
def test_a_folder_that_no_pod_can_have_is_reported(tmp_path, path):
    model = servings.model(tmp_path, base_path=path)
    with pytest.raises(UserInputError, match=r"base_path.*expected a path from the root on"):
        servings.serving(model, **IN_A_STORE)


def test_versions_that_do_not_fit_are_refused_at_the_byte(model):
    needed = served_memory.needed_bytes(servings.serving(model).sizes)
    enough = needed / 2**30
    servings.serving(model, **ON_A_CLAIM, memory_gib=enough)
    with pytest.raises(UserInputError, match=r"memory_gib=.*version 1 .*version 2 .*the server"):
        servings.serving(model, **ON_A_CLAIM, memory_gib=math.nextafter(enough, 0))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("workers=2", "workers: Unexpected keyword"),
        ("retries=3", "retries: Unexpected keyword"),
        ("min_replicas=5", "max_replicas=4 is below min_replicas=5"),
        ("min_replicas=0", "min_replicas"),
        ("cpu_percent=101", "cpu_percent"),
        ("load_seconds=1", "load_seconds"),
        ("drain_seconds=0", "drain_seconds"),
        ("model_uri=/data/dmf", "model_uri.*expected a URI"),
        ('secrets=["s3"]', "secrets are for model_uri"),
        ("name=Big_Name", "name"),
        ("image=--privileged", "image"),
        ("kubernetes_version=1.30", "1.31 or newer"),
    ],
)
def test_a_wrong_setting_is_named(override, expected):
    values = python_config.read(None, ["export_dir=serving/dmf", override])
    with pytest.raises(UserInputError, match=expected):
        python_config.validate(ServeSettings, values, "(defaults)")


def test_a_model_is_required():
    with pytest.raises(UserInputError, match="export_dir"):
        python_config.validate(ServeSettings, {}, "(defaults)")
