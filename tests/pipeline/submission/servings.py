"""Models that the tests serve, and their manifests by kind."""

from pathlib import Path

from pipeline.releases.model_versions import ModelVersions
from pipeline.runtime import python_config
from pipeline.submission import serve_manifests
from pipeline.submission.serve_settings import ServeSettings
from pipeline.submission.serving import Serving
from tests.serving_signatures import exports

ON_A_CLAIM = {"volumes": ["ctr-models:/models:ro"]}
IN_A_STORE = {
    "model_uri": "s3://bucket/serving/dmf",
    "worker_image": "registry.example/dmf-worker:1.2.3",
    "secrets": ["s3-credentials"],
    "environment": {"AWS_REGION": "eu-west-1"},
}


def model(folder: Path, name: str = "dmf", base_path: str | None = None) -> Path:
    """A model of two versions, the first stable and the second without a label."""
    for content in ("first", "second"):
        exports.publish(folder / name, content)
    versions = ModelVersions(str(folder / name), base_path)
    versions.promote(1, "stable", without_gate="a test")
    versions.promote(2)
    return folder / name


def serving(export_dir: Path, **settings) -> Serving:
    values = {"export_dir": str(export_dir), **(settings or ON_A_CLAIM)}
    return Serving.read(python_config.validate(ServeSettings, values, "test"))


def rendered(export_dir: Path, **settings) -> dict[str, dict]:
    """The manifests by kind."""
    return {one["kind"]: one for one in serve_manifests.render(serving(export_dir, **settings))}


def pod(manifests: dict[str, dict]) -> dict:
    return manifests["Deployment"]["spec"]["template"]["spec"]


def container(manifests: dict[str, dict]) -> dict:
    (found,) = pod(manifests)["containers"]
    return found


def flags(found: dict) -> dict[str, str]:
    """A container's flags as it is given them."""
    words = [word.replace("$$", "$") for word in found["args"] if word.startswith("--")]
    return dict(word.split("=", 1) for word in words)
