"""`python -m pipeline.models`: what an operator sees and what it leaves in the folder."""

import contextlib
import math
import os
import urllib.request

import pytest

from features.errors import UserInputError
from pipeline.releases.model_versions import ModelVersions
from serving_signatures.versions import served_memory
from serving_signatures.versions.rollout import Rollout
from tests import quick_python
from tests.model_status import model_status_server
from tests.serving_signatures import exports

WHY = "a test"


@pytest.fixture
def folder(tmp_path):
    """Five versions; the embedding set changed with the second, ids with the fourth."""
    path = tmp_path / "ctr"
    content = {**exports.TAGS, "target_aware_tag": "b" * 16}
    ids = {**content, "id_tag": "2" * 16}
    for number, tags in enumerate((exports.TAGS, content, content, ids, ids), start=1):
        exports.publish(path, f"model {number}", tags)
    return path


@pytest.fixture
def versions(folder):
    return ModelVersions(str(folder))


def rollout(folder):
    return Rollout.read(str(folder), "ctr")


@pytest.mark.guarantee("damaged", "models")
def test_list_shows_labels_caches_and_damage(folder, versions):
    versions.promote(1, "stable", without_gate=WHY)
    versions.promote(2)
    (folder / "4" / "saved_model.pb").write_text("broken!")
    head, five, four, three, two, one = versions.show(verify=True).splitlines()
    assert head.split()[:3] == ["version", "created", "labels"]
    assert [line.split()[0] for line in (five, four, three, two, one)] == list("54321")
    assert "id valid, target_aware valid" in five and five.endswith("intact")
    assert "id stale, target_aware valid" in four
    assert four.endswith("damaged: saved_model.pb has another sha256")
    assert "id valid, target_aware stale" in two and "b" * 16 in two and "(served)" in two
    assert " stable " in one and "no version before" in one and "stale" not in one
    assert "2026-05-01T00:00:00+00:00" in one and "1.0e-07" in one
    assert versions.show().splitlines()[1].endswith("sizes right")


@pytest.mark.parametrize("file", ["saved_model.pb", "assets.extra/manifest.json"])
@pytest.mark.guarantee("damaged", "models")
def test_list_shows_a_damaged_version_and_verify_ends_with_2(folder, file):
    command = ("pipeline.models", "list", f"--export_dir={folder}", "--verify")
    assert quick_python.run_job(*command).returncode == 0
    path = folder / "5" / file
    path.write_text(path.read_text().replace("5", "6"))
    done = quick_python.run_job(*command)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["version", *"54321"]
    assert f"{os.path.basename(file)}" in lines[1].partition("damaged: ")[2]
    assert "intact" in lines[2]
    assert done.returncode == 2
    assert "damaged versions are 5." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_of_damaged_versions_alone_is_listed(tmp_path):
    exports.publish(tmp_path / "ctr")
    (tmp_path / "ctr" / "1" / "assets.extra" / "manifest.json").write_text("[]")
    assert "expected a JSON object" in ModelVersions(str(tmp_path / "ctr")).show()


def test_from_canary_to_stable_and_back(folder, versions):
    versions.promote(2, "stable", without_gate=WHY)
    assert "loads version 4 when it next reads" in versions.promote(4)
    shown = versions.promote(4, "canary", without_gate=WHY)
    assert "canary: none -> 4" in shown and "loads version" not in shown
    assert "Against stable version 2:" in shown
    assert "id_tag changed since version 2: fill id_projections again" in shown
    assert "target_aware_tag unchanged since version 2" in shown
    assert "stable: 2 -> 4" in versions.promote(4, "stable", without_gate=WHY)
    assert rollout(folder).labels == {"stable": 4, "canary": 4, "previous": 2}
    assert rollout(folder).served == {2, 4}
    assert "stable: 4 -> 2" in versions.rollback()
    assert rollout(folder).labels == {"stable": 2, "canary": 2}
    with pytest.raises(UserInputError, match="no previous stable version"):
        versions.rollback()


def test_promote_takes_the_newest_intact_version(folder, versions):
    (folder / "5" / "saved_model.pb").unlink()
    versions.promote(label="stable", without_gate=WHY)
    assert rollout(folder).labels == {"stable": 4}
    with pytest.raises(UserInputError, match=r"is damaged: saved_model.pb is missing"):
        versions.promote(5)


@pytest.mark.parametrize("file", ["assets.extra/manifest.json", ""])
def test_promote_leads_away_from_a_stable_version_that_cannot_be_read(folder, versions, file):
    versions.promote(3, "stable", without_gate=WHY)
    versions.promote(4)
    path = folder / "3" / file
    path.rename(folder / "away")
    assert "its tags cannot be read" in versions.promote(4, "stable", without_gate=WHY)
    assert rollout(folder).labels == {"stable": 4, "previous": 3}


def needs(folder, *numbers):
    """GiB that a server needs for versions, from the bytes of their files."""
    sizes = {
        number: sum(
            path.stat().st_size
            for path in (folder / str(number)).rglob("*")
            if path.is_file() and path.name != "manifest.json"
        )
        for number in numbers
    }
    return served_memory.needed_bytes(sizes) / 2**30


def test_promote_compares_what_stays_loaded_with_the_memory_at_the_byte(folder, versions):
    versions.promote(1, "stable", without_gate=WHY)
    before, enough = rollout(folder), needs(folder, 1, 2)
    assert needs(folder, 1) < enough
    for label in (None, "canary"):
        small = ModelVersions(str(folder), memory_gib=math.nextafter(enough, 0))
        with pytest.raises(UserInputError, match=r"--memory_gib=.*version 1 .*version 2 ") as error:
            small.promote(2, label, without_gate=None if label is None else WHY)
        assert "promote fewer versions" in str(error.value)
        assert rollout(folder) == before, "nothing was written"
    ModelVersions(str(folder), memory_gib=enough).promote(2)
    assert rollout(folder).served == {1, 2}


def test_promote_counts_the_version_that_answers_until_the_first_one_has_loaded(folder, versions):
    versions.promote(1)
    enough = needs(folder, 1, 2)
    for memory, fits in ((math.nextafter(enough, 0), False), (enough, True)):
        sized = ModelVersions(str(folder), memory_gib=memory)
        with contextlib.nullcontext() if fits else pytest.raises(UserInputError, match="version 1"):
            sized.promote(2, "stable", without_gate=WHY)
    assert rollout(folder).served == {2}


def test_promote_counts_a_version_that_cannot_be_read(folder, versions):
    versions.promote(3, "stable", without_gate=WHY)
    versions.promote(4)
    (folder / "3" / "assets.extra" / "manifest.json").write_text("[]")
    sized = ModelVersions(str(folder), memory_gib=needs(folder, 3, 4) + 1e-6)
    assert "stable: 3 -> 4" in sized.promote(4, "stable", without_gate=WHY)
    with pytest.raises(UserInputError, match=r"version 3 .*version 4 "):
        ModelVersions(str(folder), memory_gib=needs(folder, 4)).promote(4)


def test_promote_that_does_not_fit_ends_with_2(folder):
    flags = ("--version=1", "--memory_gib=0.5")
    done = quick_python.run_job("pipeline.models", "promote", f"--export_dir={folder}", *flags)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "--memory_gib=0.5: the versions that are loaded together need 0.63 GiB" in done.stderr
    assert not (folder / "models.config").exists()


@pytest.mark.parametrize("what", ["gone", "damaged"])
@pytest.mark.guarantee("damaged", "models")
def test_rollback_to_a_version_that_is_gone_or_damaged_is_refused(folder, versions, what):
    versions.promote(1, "stable", without_gate=WHY)
    versions.promote(2)
    versions.promote(2, "stable", without_gate=WHY)
    before = rollout(folder)
    if what == "gone":
        os.rename(folder / "1", folder.parent / "elsewhere")
    else:
        (folder / "1" / "saved_model.pb").write_text("")
    with pytest.raises(UserInputError, match=r"no version 1|Version 1 is damaged"):
        versions.rollback()
    assert rollout(folder) == before


def test_prune_keeps_the_newest_three_and_what_is_served(folder, versions):
    versions.promote(1, "stable", without_gate=WHY)
    exports.publish(folder, "model 6")
    (folder / ".building-dead").mkdir()
    dry = ModelVersions(str(folder), dry_run=True)
    before = sorted(os.listdir(folder))
    assert dry.prune().startswith("would remove version 2")
    assert "would serve 1, 6" in dry.promote(6)
    assert sorted(os.listdir(folder)) == before and rollout(folder).served == {1}
    shown = versions.prune(keep=3)
    assert "remove version 2" in shown and "remove version 3" in shown
    assert sorted(os.listdir(folder)) == [".lock", "1", "4", "5", "6", "gates", "models.config"]
    assert versions.prune() == "Nothing to remove."


@contextlib.contextmanager
def tf_serving(state):
    """A server whose only version is 4."""
    with model_status_server("/v1/models/ctr/versions/4", 4, state) as port:
        yield f"127.0.0.1:{port}"


def test_a_label_waits_for_every_server_that_is_named(folder, versions):
    versions.promote(1, "stable", without_gate=WHY)
    versions.promote(4)
    with tf_serving("AVAILABLE") as ready, tf_serving("LOADING") as busy:
        with pytest.raises(UserInputError, match=r"version 4 is LOADING, not AVAILABLE"):
            versions.promote(4, "stable", [ready, busy], WHY)
        with pytest.raises(UserInputError, match=r"version 5 is unknown there \(HTTP 404\)"):
            versions.promote(5, "canary", [ready], WHY)
        assert rollout(folder).labels == {"stable": 1}
        versions.promote(4, "stable", [ready], WHY)
    assert rollout(folder).labels == {"stable": 4, "previous": 1}
    with pytest.raises(UserInputError, match="does not answer"):
        versions.promote(4, "canary", [ready], WHY)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_a_proxy_that_catches_the_question_is_named(folder, versions, monkeypatch, name):
    versions.promote(4)
    with tf_serving("AVAILABLE") as ready, tf_serving("AVAILABLE") as proxy:
        for variable in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv(name, f"http://{proxy}")
        # urllib reads the variables once per process.
        monkeypatch.setattr(urllib.request, "_opener", None)
        # The server that plays the proxy has no page of the whole URL.
        expected = rf"\(HTTP 404\).* {name}={proxy} catches calls to 127.0.0.1: export no_proxy="
        with pytest.raises(UserInputError, match=expected):
            versions.promote(4, "stable", [ready], WHY)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(urllib.request, "_opener", None)
        versions.promote(4, "stable", [ready], WHY)
    monkeypatch.delenv("no_proxy")
    monkeypatch.setattr(urllib.request, "_opener", None)
    with pytest.raises(UserInputError, match=rf"does not answer.* {name}={proxy} catches calls"):
        versions.promote(4, "canary", [ready], WHY)


def test_base_path_is_asked_for_once(folder):
    ModelVersions(str(folder), base_path="/srv/ctr").promote(1, "stable", without_gate=WHY)
    ModelVersions(str(folder)).promote(2)
    assert rollout(folder).base_path == "/srv/ctr"


def test_a_folder_without_versions_is_reported(tmp_path):
    with pytest.raises(UserInputError, match="holds no version"):
        ModelVersions(str(tmp_path))
    assert os.listdir(tmp_path) == []


def run(*arguments):
    return quick_python.run_job("pipeline.models", *arguments)


def test_verbs_and_flags_of_the_command(folder):
    done = run(
        "promote", "--export_dir", folder, "--version=3", "--label=stable", f"--without_gate={WHY}"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("stable: none -> 3\nserve 3\n")
    assert rollout(folder).labels == {"stable": 3}
    assert run("--only_check_args", "list", f"--export_dir={folder}/none").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only_check_args", "prune", "--keep=2"], "--keep 2 must be at least 3"),
        (["promote", "--version=9"], "no version 9; it has [1, 2, 3, 4, 5]"),
        (["demote"], "Give one of list, promote, rollback, prune, fetch, received ['demote']"),
    ],
    ids=["keep", "version", "verb"],
)
def test_what_is_wrong_is_reported(folder, arguments, message):
    done = run(*arguments, f"--export_dir={folder}")
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert "models.config" not in os.listdir(folder)
