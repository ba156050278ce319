"""Labels need a passed gate against what is stable now, or a reason that is recorded."""

import json
import os
import shutil

import pytest

from features.errors import UserInputError
from pipeline.releases.gate_records import GateRecords
from pipeline.releases.model_versions import ModelVersions
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.rollout import Rollout
from tests import quick_python
from tests.serving_signatures import exports

REASON = "click: AUC is 0.0300 worse (95% interval 0.0200 to 0.0400)."


@pytest.fixture
def folder(tmp_path):
    """Four versions without labels."""
    path = tmp_path / "ctr"
    for number in range(1, 5):
        exports.publish(path, f"model {number}")
    return path


@pytest.fixture
def versions(folder):
    return ModelVersions(str(folder))


def gate(folder, version, champion=None, reasons=(), created="2026-05-01T00:00:00+00:00"):
    """Writes what the gate would, without scoring anything."""
    versions = ExportFolder(str(folder))

    def side(number):
        return {"version": number, "manifest_sha256": versions.version(number).manifest_sha256}

    return GateRecords(versions).write(
        {
            "created": created,
            "passed": not reasons,
            "reasons": list(reasons),
            "challenger": side(version),
            "champion": None if champion is None else side(champion),
        }
    )


def labels(folder):
    return dict(Rollout.read(str(folder), "ctr").labels)


def gate_column(versions):
    head, *rows = versions.show().splitlines()
    at, end = head.index("gate"), head.index("id_tag")
    return {int(row.split()[0]): row[at:end].strip() for row in rows}


def test_from_the_first_version_to_the_second_and_back(folder, versions):
    with pytest.raises(UserInputError, match=r"Version 1 has not passed the gate\. Run `python -m"):
        versions.promote(1, "stable")
    gate(folder, 1)
    assert "gate: passed" in versions.promote(1, "stable")
    versions.promote(2)  # Without a label it needs no gate.
    for label in ("canary", "stable"):
        with pytest.raises(UserInputError, match="not passed the gate against version 1, which is"):
            versions.promote(2, label)
    gate(folder, 2, 1)
    assert "gate: passed against 1" in versions.promote(2, "canary")
    assert "gate: passed against 1" in versions.promote(2, "stable")
    assert "version 2 is stable already" in versions.promote(2, "stable")
    assert gate_column(versions) == {4: "-", 3: "-", 2: "passed against 1", 1: "passed"}
    versions.rollback()
    # What the gate said of 2 against 1 is as true as before.
    assert "stable: 1 -> 2" in versions.promote(2, "stable")


def test_a_canary_becomes_stable_only_after_a_gate_against_what_is_stable_now(folder, versions):
    gate(folder, 1)
    versions.promote(1, "stable")
    gate(folder, 2, 1)
    gate(folder, 3, 1)
    versions.promote(2)
    versions.promote(2, "canary")
    versions.promote(3)
    versions.promote(3, "stable")
    # Meanwhile version 3 has become stable, with which the canary was never compared.
    with pytest.raises(UserInputError, match="gate against version 3, which is stable"):
        versions.promote(2, "stable")
    gate(folder, 2, 3, [REASON])
    with pytest.raises(UserInputError, match=r"gate refused version 2 against version 3.*0\.0300"):
        versions.promote(2, "stable")
    assert labels(folder) == {"stable": 3, "canary": 2, "previous": 1}
    # Version 3 failed in production. To take the place of 1 again, 2 has passed.
    versions.rollback()
    assert "gate: passed against 1" in versions.promote(2, "stable")
    assert labels(folder) == {"stable": 2, "canary": 2, "previous": 1}


def test_with_no_stable_version_the_newest_record_counts(folder, versions):
    gate(folder, 2, 1)
    gate(folder, 2, reasons=[REASON], created="2026-05-02T00:00:00+00:00")
    with pytest.raises(UserInputError, match="refused version 2: click: AUC"):
        versions.promote(2, "canary")
    gate(folder, 2, 1, created="2026-05-03T00:00:00+00:00")
    assert "gate: passed against 1" in versions.promote(2, "canary")


def edited(path, change, keep_checksum=True):
    values = json.loads(path.read_text())
    change(values)
    if not keep_checksum:
        del values["checksum"], values["manifest_version"]
    path.write_text(json.dumps(values))


@pytest.mark.guarantee("damaged", "models")
@pytest.mark.parametrize("keep_checksum", [True, False], ids=["checksum", "without"])
def test_a_record_edited_by_hand_is_refused(folder, versions, keep_checksum):
    gate(folder, 1, reasons=[REASON])
    path = folder / "gates" / "1" / "alone.json"
    edited(path, lambda values: values.update(passed=True, reasons=[]), keep_checksum)
    with pytest.raises(UserInputError, match=r"alone.json' (was changed|has no checksum).*again"):
        versions.promote(1, "stable")
    assert gate_column(versions)[1] == "damaged record"
    assert labels(folder) == {}


def test_a_record_of_another_version_is_refused(folder, versions):
    gate(folder, 1)
    gate(folder, 3)
    (folder / "gates" / "2").mkdir()
    shutil.copy(folder / "gates" / "3" / "alone.json", folder / "gates" / "2")
    with pytest.raises(UserInputError, match="is about versions 3 and None, not 2 and None"):
        versions.promote(2, "stable")
    versions.promote(1, "stable")
    gate(folder, 2, 3)
    (folder / "gates" / "2" / "against-3.json").rename(folder / "gates" / "2" / "against-1.json")
    with pytest.raises(UserInputError, match="is about versions 2 and 3, not 2 and 1"):
        versions.promote(2, "canary")


@pytest.mark.guarantee("replaced", "models")
@pytest.mark.parametrize("changed", [1, 2])
def test_a_record_of_other_files_under_the_same_number_is_refused(folder, versions, changed):
    gate(folder, 1)
    versions.promote(1, "stable")
    gate(folder, 2, 1)
    shutil.rmtree(folder / str(changed))
    exports.publish(folder.parent / "other" / "ctr", "another model")
    shutil.move(folder.parent / "other" / "ctr" / "1", folder / str(changed))
    with pytest.raises(UserInputError, match=f"is about another version {changed}: its manifest"):
        versions.promote(2, "canary")


def test_a_champion_that_is_gone_is_replaced_by_what_was_compared_with_it(folder, versions):
    gate(folder, 1)
    versions.promote(1, "stable")
    gate(folder, 2, 1)
    versions.promote(2)
    shutil.rmtree(folder / "1")
    assert "gate: passed against 1" in versions.promote(2, "stable")


def test_without_a_gate_the_reason_is_recorded_each_time(folder, versions):
    gate(folder, 2, reasons=[REASON])
    dry = ModelVersions(str(folder), dry_run=True)
    assert "would record why: a new market" in dry.promote(2, "canary", (), "a new market")
    assert os.listdir(folder / "gates" / "2") == ["alone.json"]
    versions.promote(2, "canary", without_gate="a new market")
    versions.promote(2, "stable", without_gate="no time\nto lose")
    found = json.loads((folder / "gates" / "2" / "overrides.json").read_text())["overrides"]
    assert [(one["label"], one["reason"], one["version"]) for one in found] == [
        ("canary", "a new market", 2),
        ("stable", "no time\nto lose", 2),
    ]
    assert all(one["time"].startswith("20") and one["stable_before"] is None for one in found)
    assert gate_column(versions)[2] == "refused, without gate"
    for label, reason in (("stable", " "), (None, "a reason")):
        with pytest.raises(UserInputError, match="expected a reason, and --label"):
            versions.promote(2, label, without_gate=reason)


def test_an_override_that_cannot_be_recorded_changes_no_label(folder, versions):
    versions.promote(2, "canary", without_gate="a test")
    path = folder / "gates" / "2" / "overrides.json"
    edited(path, lambda values: values["overrides"].clear())
    with pytest.raises(UserInputError, match=r"overrides.json' was changed"):
        versions.promote(2, "stable", without_gate="a test")
    assert labels(folder) == {"canary": 2}


@pytest.mark.guarantee("foreign", "models")
def test_pruning_removes_the_records_of_removed_versions_and_nothing_else(folder, versions):
    for number in (1, 2, 4):
        gate(folder, number)
    versions.promote(2, "stable")
    gate(folder, 4, 1)
    left = folder / "gates" / "1" / f"alone.json.{'0' * 32}.tmp"
    left.write_text("of a killed gate")
    (folder / "gates" / "2" / "notes.txt").write_text("mine")
    (folder / "gates" / "mine").mkdir()
    exports.publish(folder, "model 5")
    assert "remove version 1" in versions.prune(keep=3)
    assert sorted(os.listdir(folder / "gates")) == ["2", "4", "mine"]
    assert sorted(os.listdir(folder / "gates" / "4")) == ["against-1.json", "alone.json"]
    (folder / "2").rename(folder.parent / "gone")
    versions.prune()
    assert os.listdir(folder / "gates" / "2") == ["notes.txt"]


def test_the_command_refuses_with_2_and_names_the_way_out(folder):
    command = ("pipeline.models", "promote", f"--export_dir={folder}", "--label=stable")
    done = quick_python.run_job(*command)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "--without_gate REASON" in done.stderr and f"--export_dir {folder}" in done.stderr
    done = quick_python.run_job(*command, "--without_gate=the first one")
    assert done.returncode == 0, done.stderr
    assert "gate: none, record why: the first one" in done.stdout
    assert labels(folder) == {"stable": 4}
