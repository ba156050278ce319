"""Checks of what is installed: facts in, a finding out."""

from collections.abc import Callable
from functools import partial

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from pipeline.checkup.child_process import Loading
from pipeline.checkup.facts import Facts, Finding

# tensorflow-io's own table: the TensorFlow whose C++ classes a release was compiled against.
_TENSORFLOW_OF_IO = {"0.37": "2.16", "0.36": "2.15", "0.35": "2.14"}
_NAMED = 4


def python(facts: Facts) -> Finding:
    """Python is of the version that the locks are for."""
    version = ".".join(map(str, facts.python))
    if facts.python[:2] != (3, 11):
        return (
            "problem",
            f"{version}, but the pinned TensorFlow and the locks are for 3.11",
            "install Python 3.11 and make the environment anew: make PYTHON=python3.11 setup",
        )
    return "ok", version


def tensorflow(facts: Facts) -> Finding:
    """TensorFlow loads, and the packages on top of it accept its version."""
    remedy = f"if a check below names a cause, fix that first; else {_reinstall(facts)}"
    if "SIGILL" in facts.loading["tensorflow"].failure:
        remedy = "this CPU lacks AVX, which TensorFlow's wheels need: use another machine"
    return _package(facts, "tensorflow", "tensorflow", "tensorflow", remedy)


def keras(facts: Facts) -> Finding:
    """`tf.keras` is Keras 2, which tensorflow-recommenders needs."""
    loaded, version = facts.loading["tensorflow"].values, facts.installed.get("tf-keras")
    module = loaded.get("keras", "tf_keras")
    if version and module != "tf_keras":
        return (
            "problem",
            f"tf.keras is {module} (Keras 3) although this project selects Keras 2",
            "export TF_USE_LEGACY_KERAS=1, and let nothing (a sitecustomize, a plugin) touch "
            "tf.keras before this project is imported",
        )
    if version and "tensorflow" not in loaded:
        return "problem", "not seen: TensorFlow does not load", "fix tensorflow first"
    found = _package(facts, "tf-keras", "tensorflow", "recommenders", _reinstall(facts))
    selected = facts.environment.get("TF_USE_LEGACY_KERAS", "1")
    if found[0] == "ok" and selected.lower() not in ("1", "true"):
        return (
            "warning",
            f"TF_USE_LEGACY_KERAS={selected}: this project's jobs set 1 themselves, but your own "
            "programs that touch tf.keras before importing it get Keras 3 and fail",
            "unset TF_USE_LEGACY_KERAS, or export TF_USE_LEGACY_KERAS=1",
        )
    return ("ok", f"Keras 2 (tf-keras {version})") if found[0] == "ok" else found


def tensorflow_io(facts: Facts) -> Finding:
    """tensorflow-io was compiled for this TensorFlow, and its libraries load."""
    version, of = facts.installed.get("tensorflow-io"), facts.installed.get("tensorflow", "none")
    if version is None:
        return (
            "warning",
            "not installed: training and evaluation read local folders only, no s3://, hdfs://, "
            "az://",
            "if you need those: pip install tensorflow-io==0.37.1 tensorflow==2.16.2 "
            "tf-keras==2.16.0 (it exists for no later TensorFlow)",
        )
    expected = _TENSORFLOW_OF_IO.get(_minor(version))
    if _minor(of) != expected:
        return (
            "problem",
            f"{version} is compiled for TensorFlow {expected or 'of another time'}, installed is "
            f"{of}",
            f"either {_reinstall(facts)} (tensorflow 2.16.2 with tensorflow-io 0.37.1), or pip "
            "uninstall tensorflow-io and do without s3:// in training",
        )
    found = _package(facts, "tensorflow-io", "tensorflow_io", "schemes", _reinstall(facts))
    schemes = facts.loading["tensorflow_io"].values.get("schemes", ())
    return ("ok", f"{version}, opens {', '.join(schemes)}") if found[0] == "ok" else found


def protobuf(facts: Facts) -> Finding:
    """Every package's generated messages load with the installed protobuf, in C."""
    # Loading TensorFlow Serving's messages loads TensorFlow, whose failure has its own check.
    process = "serving_api" if "tensorflow" in facts.loading["tensorflow"].values else ""
    remedy = f"{_install(facts, 'protobuf')} {_quoted(facts, 'tensorflow-serving-api')}"
    found = _package(facts, "protobuf", process, "protobuf", remedy)
    if found[0] == "ok" and facts.loading["serving_api"].values.get("protobuf") == "python":
        return (
            "warning",
            f"{facts.installed['protobuf']} runs in pure Python, which is many times slower",
            "unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION, or reinstall protobuf from a wheel",
        )
    return found


def beam(facts: Facts) -> Finding:
    """Beam loads, and the worker image's harness is of its version."""
    install, version = _install(facts, "apache-beam"), facts.installed.get("apache-beam")
    remedy = f"fix pyarrow, protobuf and numpy first, then {install}"
    found = _package(facts, "apache-beam", "beam", "beam", remedy)
    if found[0] == "ok" and facts.beam_image not in (None, version):
        return (
            "problem",
            f"{version}, but docker/worker/Dockerfile takes the harness of {facts.beam_image}",
            f"{install}, or name the SDK image of {version} there",
        )
    return found


def serving(facts: Facts) -> Finding:
    """TensorFlow Serving is no older than the TensorFlow that exports, and its API matches."""
    api, exporter = (facts.installed.get(n) for n in ("tensorflow-serving-api", "tensorflow"))
    server = facts.serving_image
    if api is None:
        return _package(facts, "tensorflow-serving-api")
    if exporter is None:
        return "problem", "no TensorFlow to compare with", "fix tensorflow first"
    if server is not None and Version(_minor(server)) < Version(_minor(exporter)):
        return (
            "problem",
            f"docker/docker-compose.yml serves with TensorFlow Serving {server}, which is older "
            f"than TensorFlow {exporter}: it may not know what this environment exports",
            f"name tensorflow/serving:{_minor(exporter)} or later there, or export with "
            f"TensorFlow {_minor(server)}",
        )
    if _minor(api) != _minor(exporter):
        return (
            "warning",
            f"tensorflow-serving-api {api} was generated for another TensorFlow than {exporter}",
            f"pip install 'tensorflow-serving-api=={_minor(exporter)}.*'",
        )
    by = f"TensorFlow Serving {server}, " if server else ""
    return "ok", f"{by}tensorflow-serving-api {api}"


def pins(facts: Facts) -> Finding:
    """The installed versions are those that were tested together."""
    wrong = []
    for name, specifier in facts.pins.required.items():
        version = facts.installed.get(name)
        if version is None:
            wrong.append(f"{name} is not installed")
        elif not _meets(version, Requirement(f"{name}{specifier}")):
            wrong.append(f"{name} {version} is not {specifier}")
    if wrong:
        return "problem", f"{_some(wrong)} of {facts.pins.origin}", _reinstall(facts)
    if not facts.pins.required:
        return (
            "warning",
            "no setup.py and no installed dmf-ctr: the expected versions are unknown",
            "run from a checkout, or install the wheel",
        )
    return "ok", f"{len(facts.pins.required)} packages as {facts.pins.origin} asks"


def lock(facts: Facts) -> Finding:
    """The installed versions are exactly those of the lock."""
    if not facts.pins.locked:
        return "ok", "none here to compare with"
    both = [name for name in facts.pins.locked if name in facts.installed]
    moved = [
        f"{name} {facts.installed[name]} (locked {facts.pins.locked[name]})"
        for name in both
        if facts.installed[name] != facts.pins.locked[name]
    ]
    if moved:
        message = f"{_some(moved)}: not what {facts.pins.lock} has, and was tested"
        return "warning", message, _reinstall(facts)
    return "ok", f"{len(both)} packages as {facts.pins.lock} has them"


def _package(
    facts: Facts, name: str, process: str = "", step: str = "", remedy: str = ""
) -> Finding:
    """Whether a distribution is installed, in a version that others accept, and loads.

    It has loaded where the `process` of `Facts.loading` reports the value `step`.
    """
    version, install = facts.installed.get(name), _install(facts, name)
    if version is None:
        return "problem", f"{name} is not installed", install
    rejections = [
        f"{dependent} {facts.installed[dependent]} wants {requirement.specifier}"
        for dependent, texts in facts.requirements.items()
        for requirement in map(Requirement, texts)
        if canonicalize_name(requirement.name) == name and not _meets(version, requirement)
    ]
    if rejections:
        return "problem", f"{version}, but {'; '.join(rejections)}", install
    loading = facts.loading.get(process, Loading())
    if process and step not in loading.values:
        return "problem", f"{version} does not load: {loading.failure}", remedy or install
    return "ok", version


def _meets(version: str, requirement: Requirement) -> bool:
    return requirement.specifier.contains(version, prereleases=True)


def _quoted(facts: Facts, name: str) -> str:
    return f"'{name}{facts.pins.required.get(name, '')}'"


def _install(facts: Facts, name: str) -> str:
    return f"pip install {_quoted(facts, name)}"


def _reinstall(facts: Facts) -> str:
    if facts.pins.lock:
        return f"pip install --require-hashes --no-build-isolation -r {facts.pins.lock}"
    names = ("tensorflow", "tf-keras", "tensorflow-recommenders", "tensorflow-io", "protobuf")
    return f"pip install {' '.join(_quoted(facts, name) for name in names)}"


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _some(texts: list[str]) -> str:
    rest = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + rest


CHECKS: dict[str, Callable[[Facts], Finding]] = {
    "python": python,
    "tensorflow": tensorflow,
    "keras": keras,
    "tensorflow-io": tensorflow_io,
    "protobuf": protobuf,
    "numpy": partial(_package, name="numpy"),
    "pyarrow": partial(_package, name="pyarrow", process="beam", step="pyarrow"),
    "apache-beam": beam,
    "serving": serving,
    "pins": pins,
    "lock": lock,
}
"""By name, in the order in which causes come before effects."""
