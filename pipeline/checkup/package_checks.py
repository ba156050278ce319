"""Checks of what is installed: facts in, an outcome out."""

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.checkup.child_process import Loading
from pipeline.checkup.facts import Facts
from pipeline.checkup.outcome import Outcome

_PYTHON = (3, 11)
# tensorflow-io's own table: the TensorFlow whose C++ classes a release was compiled against.
_TENSORFLOW_OF_IO = {
    "0.37": "2.16",
    "0.36": "2.15",
    "0.35": "2.14",
}
_NAMED = 4


def python(facts: Facts) -> Outcome:
    """Python is of the version that the locks are for."""
    version = ".".join(map(str, facts.python))
    if facts.python[:2] == _PYTHON:
        return Outcome("python", "ok", version)
    return Outcome(
        "python",
        "problem",
        f"{version}, but the pinned TensorFlow and the locks are for 3.11",
        "install Python 3.11 and make the environment anew: make PYTHON=python3.11 setup",
    )


def tensorflow(facts: Facts) -> Outcome:
    """TensorFlow loads, and the packages on top of it accept its version."""
    loading, version = facts.loading["tensorflow"], facts.installed.get("tensorflow")
    if version is None:
        return _absent("tensorflow", facts)
    if "tensorflow" not in loading.values:
        if "SIGILL" in loading.failure:
            remedy = "this CPU lacks AVX, which TensorFlow's wheels need: use another machine"
        else:
            remedy = f"if a check below names a cause, mend that first; else {_reinstall(facts)}"
        return _unloadable("tensorflow", version, loading, remedy)
    users = ("tf-keras", "tensorflow-recommenders", "tensorflow-serving-api")
    return _accepted("tensorflow", users, facts)


def keras(facts: Facts) -> Outcome:
    """`tf.keras` is Keras 2, which tensorflow-recommenders needs."""
    loading, version = facts.loading["tensorflow"], facts.installed.get("tf-keras")
    if version is None:
        return _absent("tf-keras", facts, "keras")
    module = loading.values.get("keras")
    if module is not None and module != "tf_keras":
        return Outcome(
            "keras",
            "problem",
            f"tf.keras is {module} (Keras 3) although this project selects Keras 2",
            "export TF_USE_LEGACY_KERAS=1, and let nothing (a sitecustomize, a plugin) touch "
            "tf.keras before this project is imported",
        )
    if "recommenders" not in loading.values:
        if "tensorflow" not in loading.values:
            return Outcome(
                "keras", "problem", "not seen: TensorFlow does not load", "mend tensorflow first"
            )
        return _unloadable("keras", version, loading, _reinstall(facts))
    selected = facts.environment.get("TF_USE_LEGACY_KERAS")
    if selected is not None and selected.lower() not in ("1", "true"):
        return Outcome(
            "keras",
            "warning",
            f"TF_USE_LEGACY_KERAS={selected}: this project's jobs set 1 themselves, but your own "
            "programs that touch tf.keras before importing it get Keras 3 and fail",
            "unset TF_USE_LEGACY_KERAS, or export TF_USE_LEGACY_KERAS=1",
        )
    return Outcome("keras", "ok", f"Keras 2 (tf-keras {version})")


def tensorflow_io(facts: Facts) -> Outcome:
    """tensorflow-io was compiled for this TensorFlow, and its libraries load."""
    version, of = facts.installed.get("tensorflow-io"), facts.installed.get("tensorflow", "none")
    if version is None:
        return Outcome(
            "tensorflow-io",
            "warning",
            "not installed: training and evaluation read local folders only, no s3://, hdfs://, "
            "az://",
            "if you need those: pip install tensorflow-io==0.37.1 tensorflow==2.16.2 "
            "tf-keras==2.16.0 (it exists for no later TensorFlow)",
        )
    expected = _TENSORFLOW_OF_IO.get(_minor(version))
    loading = facts.loading["tensorflow_io"]
    if _minor(of) != expected:
        return Outcome(
            "tensorflow-io",
            "problem",
            f"{version} is compiled for TensorFlow {expected or 'of another time'}, installed is "
            f"{of}",
            f"either {_reinstall(facts)} (tensorflow 2.16.2 with tensorflow-io 0.37.1), or pip "
            "uninstall tensorflow-io and do without s3:// in training",
        )
    if loading.failure:
        return _unloadable("tensorflow-io", version, loading, _reinstall(facts))
    return Outcome(
        "tensorflow-io", "ok", f"{version}, opens {', '.join(loading.values['schemes'])}"
    )


def protobuf(facts: Facts) -> Outcome:
    """Every package's generated messages load with the installed protobuf, in C."""
    accepted = _accepted("protobuf", ("tensorflow", "tensorflow-serving-api", "apache-beam"), facts)
    if accepted.status != "ok":
        return accepted
    loading, version = facts.loading["serving_api"], facts.installed["protobuf"]
    if loading.failure and "tensorflow" in facts.loading["tensorflow"].values:
        remedy = f"{_install('protobuf', facts)} {_quoted('tensorflow-serving-api', facts)}"
        return _unloadable("protobuf", version, loading, remedy)
    if loading.values.get("protobuf") == "python":
        return Outcome(
            "protobuf",
            "warning",
            f"{version} runs in pure Python, which is many times slower",
            "unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION, or reinstall protobuf from a wheel",
        )
    return accepted


def numpy(facts: Facts) -> Outcome:
    """The installed NumPy is of a version that all who compile against it accept."""
    return _accepted("numpy", ("tensorflow", "apache-beam", "scipy", "scikit-learn"), facts)


def pyarrow(facts: Facts) -> Outcome:
    """Arrow loads, and is within Beam's bounds."""
    version, loading = facts.installed.get("pyarrow"), facts.loading["beam"]
    if version is not None and "pyarrow" not in loading.values:
        return _unloadable("pyarrow", version, loading, _install("pyarrow", facts))
    return _accepted("pyarrow", ("apache-beam",), facts)


def beam(facts: Facts) -> Outcome:
    """Beam loads, and the worker image's harness is of its version."""
    version, loading = facts.installed.get("apache-beam"), facts.loading["beam"]
    if version is None:
        return _absent("apache-beam", facts)
    if "beam" not in loading.values:
        remedy = f"mend pyarrow, protobuf and numpy first, then {_install('apache-beam', facts)}"
        return _unloadable("apache-beam", version, loading, remedy)
    if facts.beam_image not in (None, version):
        return Outcome(
            "apache-beam",
            "problem",
            f"{version}, but docker/worker/Dockerfile takes the harness of {facts.beam_image}",
            f"{_install('apache-beam', facts)}, or name the SDK image of {version} there",
        )
    return Outcome("apache-beam", "ok", version)


def serving(facts: Facts) -> Outcome:
    """TensorFlow Serving is no older than the TensorFlow that exports, and its API matches."""
    api, exporter = (facts.installed.get(n) for n in ("tensorflow-serving-api", "tensorflow"))
    if api is None:
        return _absent("tensorflow-serving-api", facts, "serving")
    if exporter is None:
        return Outcome(
            "serving", "problem", "no TensorFlow to compare with", "mend tensorflow first"
        )
    server = facts.serving_image
    if server is not None and _order(server) < _order(exporter):
        return Outcome(
            "serving",
            "problem",
            f"docker/docker-compose.yml serves with TensorFlow Serving {server}, which is older "
            f"than TensorFlow {exporter}: it may not know what this environment exports",
            f"name tensorflow/serving:{_minor(exporter)} or later there, or export with "
            f"TensorFlow {_minor(server)}",
        )
    if _minor(api) != _minor(exporter):
        return Outcome(
            "serving",
            "warning",
            f"tensorflow-serving-api {api} was generated for another TensorFlow than {exporter}",
            f"pip install 'tensorflow-serving-api=={_minor(exporter)}.*'",
        )
    by = f"TensorFlow Serving {server}, " if server else ""
    return Outcome("serving", "ok", f"{by}tensorflow-serving-api {api}")


def pins(facts: Facts) -> Outcome:
    """The installed versions are those that were tried together."""
    wrong = []
    for name, specifier in facts.pins.required.items():
        version = facts.installed.get(name)
        if version is None:
            wrong.append(f"{name} is not installed")
        elif not _meets(version, Requirement(f"{name}{specifier}")):
            wrong.append(f"{name} {version} is not {specifier}")
    origin = facts.pins.origin
    if wrong:
        return Outcome("pins", "problem", f"{_some(wrong)} of {origin}", _reinstall(facts))
    if not facts.pins.required:
        return Outcome(
            "pins",
            "warning",
            "no setup.py and no installed dmf-ctr: nothing says which versions are expected",
            "run from a checkout, or install the wheel",
        )
    return Outcome("pins", "ok", f"{len(facts.pins.required)} packages as {origin} asks")


def lock(facts: Facts) -> Outcome:
    """The installed versions are those of the lock, to the last digit."""
    locked = facts.pins.locked
    if not locked:
        return Outcome("lock", "ok", "none here to compare with")
    both = [name for name in locked if name in facts.installed]
    moved = [
        f"{name} {facts.installed[name]} (locked {locked[name]})"
        for name in both
        if facts.installed[name] != locked[name]
    ]
    if moved:
        message = f"{_some(moved)}: not what {facts.pins.lock} has, and was tested"
        return Outcome("lock", "warning", message, _reinstall(facts))
    return Outcome("lock", "ok", f"{len(both)} packages as {facts.pins.lock} has them")


CHECKS = (
    python,
    tensorflow,
    keras,
    tensorflow_io,
    protobuf,
    numpy,
    pyarrow,
    beam,
    serving,
    pins,
    lock,
)


def _accepted(name: str, by: tuple[str, ...], facts: Facts) -> Outcome:
    """Whether a distribution is installed in a version that all its dependents accept."""
    version = facts.installed.get(name)
    if version is None:
        return _absent(name, facts)
    rejections = [
        f"{dependent} {facts.installed[dependent]} wants {requirement.specifier}"
        for dependent in by
        for requirement in map(Requirement, facts.requirements.get(dependent, ()))
        if canonicalize_name(requirement.name) == name and not _meets(version, requirement)
    ]
    if rejections:
        message = f"{version}, but {'; '.join(rejections)}"
        return Outcome(name, "problem", message, _install(name, facts))
    return Outcome(name, "ok", version)


def _absent(name: str, facts: Facts, check: str = "") -> Outcome:
    message = "not installed" if not check else f"{name} is not installed"
    return Outcome(check or name, "problem", message, _install(name, facts))


def _unloadable(check: str, version: str, loading: Loading, remedy: str) -> Outcome:
    return Outcome(check, "problem", f"{version} does not load: {loading.failure}", remedy)


def _meets(version: str, requirement: Requirement) -> bool:
    return requirement.specifier.contains(version, prereleases=True)


def _quoted(name: str, facts: Facts) -> str:
    return f"'{name}{facts.pins.required.get(name, '')}'"


def _install(name: str, facts: Facts) -> str:
    return f"pip install {_quoted(name, facts)}"


def _reinstall(facts: Facts) -> str:
    if facts.pins.lock:
        return f"pip install --require-hashes --no-build-isolation -r {facts.pins.lock}"
    names = ("tensorflow", "tf-keras", "tensorflow-recommenders", "tensorflow-io", "protobuf")
    return f"pip install {' '.join(_quoted(name, facts) for name in names)}"


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, _minor(version).split(".")))


def _some(texts: list[str]) -> str:
    rest = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + rest
