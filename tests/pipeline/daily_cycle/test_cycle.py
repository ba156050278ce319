"""The order of steps and parts: what is done again, what is not, and what stops."""

import pytest

from features.errors import RetryError, UserInputError
from pipeline.daily_cycle import cycle, ledger, status
from pipeline.daily_cycle.config import CycleConfig
from pipeline.daily_cycle.cycle import LEDGER, Step
from pipeline.daily_cycle.ledger import Ledger


class Script:
    """Three steps that write down that they ran, and fail where they are told to."""

    NAMES = ("read", "learn", "serve")

    def __init__(self, work):
        self.work = str(work)
        self.ran = []
        self.undone = []
        self.fail = {}
        self.found = {}

    def config(self, **changes):
        values = {
            "work": self.work,
            "events": "log/{part}",
            "join": {"splits": "train:..2030-01-01,test:2030-01-01.."},
            **changes,
        }
        return CycleConfig(**values)

    def steps(self):
        return [
            Step("read", self._step("read"), lambda config: config.join, self._undo),
            Step("learn", self._step("learn"), lambda config: config.name),
            Step("serve", self._step("serve"), lambda config: None),
        ]

    def run(self, part, only=None, **changes):
        self.ran.clear()
        cycle.run_part(self.config(**changes), part, self.steps(), only)
        return list(self.ran)

    def _step(self, name):
        def run(part_run):
            self.ran.append(name)
            if (error := self.fail.get(name)) is not None:
                raise error
            return {"step": name, "found": self.found.get(name, 0), "after": part_run.accepted}

        return run

    def _undo(self, part_run):
        self.undone.append(part_run.part)


@pytest.fixture
def script(tmp_path):
    return Script(tmp_path / "work")


def test_a_part_goes_through_all_steps_once(script):
    assert script.run("2026-05-01") == ["read", "learn", "serve"]
    assert script.run("2026-05-01") == []


def test_a_part_that_was_interrupted_goes_on_where_it_was(script):
    script.fail["learn"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        script.run("2026-05-01")
    script.fail.clear()
    assert script.run("2026-05-01") == ["learn", "serve"]


def test_a_part_that_stopped_names_step_and_reason_and_goes_on_when_it_can(script):
    script.fail["learn"] = UserInputError("No label is positive.")
    with pytest.raises(UserInputError, match="'2026-05-01' stopped at 'learn': No label"):
        script.run("2026-05-01")
    shown = status.table(script.config(), script.NAMES)
    assert "STOPPED" in shown and "No label is positive." in shown
    script.fail.clear()
    assert script.run("2026-05-01") == ["learn", "serve"]
    assert "STOPPED" not in status.table(script.config(), script.NAMES)


def test_a_step_that_judges_the_part_takes_it_out_and_begins_anew(script):
    script.run("2026-05-01", only="read")
    script.fail["read"] = UserInputError("Half of the log is missing.")
    with pytest.raises(UserInputError, match="Half of the log"):
        script.run("2026-05-01", join={"splits": "train:..2031-01-01,test:2031-01-01.."})
    assert script.undone == ["2026-05-01"]
    assert Ledger(script.config().folder(LEDGER), "2026-05-01").done("read") is None


def test_a_fault_of_the_moment_stops_nothing(script):
    script.fail["serve"] = RetryError("The server is still loading.")
    with pytest.raises(RetryError):
        script.run("2026-05-01")
    assert "STOPPED" not in status.table(script.config(), script.NAMES)
    script.fail.clear()
    assert script.run("2026-05-01") == ["serve"]


def test_other_settings_repeat_their_step(script):
    for step in ("read", "learn"):
        script.run("2026-05-01", only=step)
    with pytest.raises(UserInputError, match="step 'learn' of part '2026-05-01' is not done"):
        script.run("2026-05-01", only="serve", name="other")
    assert script.run("2026-05-01", name="other") == ["learn", "serve"]


def test_a_part_that_is_done_stays_so_whatever_the_settings(script):
    script.run("2026-05-01")
    assert script.run("2026-05-01", name="other") == []


def test_parts_go_in_order(script):
    script.run("2026-05-02")
    with pytest.raises(UserInputError, match="'2026-05-02' has begun already"):
        script.run("2026-05-01")
    script.fail["serve"] = UserInputError("Refused.")
    with pytest.raises(UserInputError, match="Refused"):
        script.run("2026-05-03")
    script.fail.clear()
    with pytest.raises(UserInputError, match=r"'2026-05-03' comes before.*stopped at 'serve'"):
        script.run("2026-05-04")


def test_a_part_that_a_person_left_out_is_passed_over(script):
    script.run("2026-05-01")
    script.fail["serve"] = UserInputError("Refused.")
    with pytest.raises(UserInputError):
        script.run("2026-05-02")
    script.fail.clear()
    cycle.skip(script.config(), "2026-05-02", script.steps(), "A test of the shop.")
    script.run("2026-05-03")
    records = Ledger(script.config().folder(LEDGER), "2026-05-03")
    assert records.done("serve").outcome["after"] == ["2026-05-01"]
    with pytest.raises(UserInputError, match=r"left out on .*A test of the shop"):
        script.run("2026-05-02")
    assert "left out" in status.table(script.config(), script.NAMES)


def test_a_part_that_is_done_cannot_be_left_out(script):
    script.run("2026-05-01")
    with pytest.raises(UserInputError, match="done already"):
        cycle.skip(script.config(), "2026-05-01", script.steps(), "Too late.")


def test_an_unknown_step_is_named_with_those_that_there_are(script):
    with pytest.raises(UserInputError, match="'fly' is none of read, learn, serve"):
        script.run("2026-05-01", only="fly")


@pytest.mark.parametrize("name", ["read", "stopped", "skipped"])
def test_a_damaged_record_is_refused_by_name(script, name):
    script.fail["serve"] = UserInputError("Refused.")
    with pytest.raises(UserInputError):
        script.run("2026-05-01")
    folder = script.config().folder(LEDGER)
    if name == "skipped":
        Ledger(folder, "2026-05-01").write_skipped("Why not.")
    path = f"{folder}/2026-05-01/{name}.json"
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("2026-", "2027-", 1).replace('"read"', '"rest"', 1))
    with pytest.raises(UserInputError, match=f"{name}.json"):
        status.table(script.config(), script.NAMES)


def test_no_part_yet(script):
    assert "No part has begun" in status.table(script.config(), script.NAMES)
    assert ledger.parts(script.config().folder(LEDGER)) == []


def test_what_a_step_found_decides_whether_later_ones_are_done_again(script):
    script.fail["serve"] = UserInputError("Refused.")
    with pytest.raises(UserInputError):
        script.run("2026-05-01")
    splits = {"splits": "train:..2031-01-01,test:2031-01-01.."}
    with pytest.raises(UserInputError):
        script.run("2026-05-01", join=splits)
    assert script.ran == ["read", "serve"]  # It found the same, so `learn` still holds.
    script.found["read"] = 1
    with pytest.raises(UserInputError):
        script.run("2026-05-01")
    assert script.ran == ["read", "learn", "serve"]
